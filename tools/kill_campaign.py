"""Kill every stage at random moments, run the same command again, and compare what comes out with no kills.

    python -m tools.kill_campaign [--kills 500] [--seed 0] [--write]

All stages of tools/faults/recipes/every_stage.py run in order, round after round. An attempt gets SIGKILL
either before its n-th operation on a file (open, rename, remove, mkdir, link, truncate), or after a random
time; the same command follows until one comes through. After each round all products must equal, byte for
byte, those of a `yt8m run` that was not killed, and all records must be those of up-to-date products. Each
attempt is forked from a process that has TensorFlow imported. 500 kills take about half an hour on one core.
"""

import argparse
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness.docs_tables import parser, show
from tools.faults import attempts
from tools.faults.attempts import KILLED, Before, attempt
from tools.faults.stages import RECIPE, Command, Place
from yt8m_kit.output.tables import markdown

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "shutil.rmtree"}
MOST = 6  # kills of a stage in a round; fewer where there are few in all, so that every stage gets some
COLUMNS = ("kills", "before a file operation", "at a random time", "resumed", "restarted", "was done", "lost")


class CampaignError(Exception):
    """A stage that does not come through, or comes through wrong."""


def operations(root: Path, stop_before: int | None = None) -> Before:
    """Count operations on files below a folder; the process gets SIGKILL before the given one."""

    def before() -> Callable[[], int]:
        count = itertools.count(1)

        def hook(event: str, words: tuple[object, ...]) -> None:
            below = event in EVENTS and str(words[0]).startswith(str(root))
            if below and next(count) == stop_before:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        return lambda: next(count) - 1

    return before


class Campaign:
    """Rounds of kills, and their figures by verb."""

    def __init__(self, folder: Path, kills: int, seed: int):
        self.folder, self.left = folder, kills
        self.random, self.most = random.Random(seed), max(1, min(MOST, kills // 20))
        self.counts: dict[str, Counter[str]] = {}
        self.known: dict[str, str] = {}
        self.sizes: dict[int, tuple[int, float]] = {}  # operations and seconds by number of the command

    def reference(self) -> None:
        """Make all products without a kill, and count operations and seconds of each stage."""
        place = self.fresh("reference")
        for number, command in enumerate(place.commands):
            done = attempt(command.words, operations(place.root))
            if done.code or done.figure is None:
                raise CampaignError(f"{' '.join(command.words)}: {done.stderr}")
            self.sizes[number] = (done.figure, done.seconds)
            self.counts.setdefault(command.verb, Counter())
        self.known = place.products()

    def fresh(self, name: str) -> Place:
        """An empty folder of that name."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir()
        return Place(self.folder / name)

    def run(self) -> int:
        """Rounds until all kills are made; returns the number of files that differ from the reference."""
        differing = 0
        while self.left > 0:
            place = self.fresh("killed")
            for number, command in enumerate(place.commands):
                self._stage(place, number, command)
            differing += self._compare(place)
            print(f"{self.left} kills left, {differing} files differ", file=sys.stderr)
        return differing

    def _stage(self, place: Place, number: int, command: Command) -> None:
        count = self.counts[command.verb]
        for kill in range(self.most + 1):
            before, done = command.progress(), [each for each in self._mains(place) if each.exists()]
            is_killed = kill < self.most and self.left > 0 and not command.main.exists()
            code = self._attempt(place, number, command, is_killed)
            if code != KILLED:
                return
            self.left -= 1
            after = command.progress()
            lost = after < before and not command.main.exists()
            count["lost"] += lost or not all(each.exists() for each in done)
            count["was done" if command.main.exists() else "resumed" if after else "restarted"] += 1

    @staticmethod
    def _mains(place: Place) -> list[Path]:
        return [command.main for command in place.commands]

    def _attempt(self, place: Place, number: int, command: Command, is_killed: bool) -> int:
        """Exit code of an attempt, perhaps killed; CampaignError for any other than 0."""
        most, seconds = self.sizes[number]
        by_time = self.random.random() < 0.5
        if not is_killed:
            done = attempt(command.words)
        elif by_time:
            done = attempt(command.words, kill_after=self.random.uniform(0, seconds))
        else:
            done = attempt(command.words, operations(place.root, self.random.randint(1, most)))
        if done.code not in (0, KILLED) or "Traceback" in done.stderr:
            raise CampaignError(f"{' '.join(command.words)}: exit {done.code}\n{done.stderr}")
        if done.code == KILLED:
            how = "at a random time" if by_time else "before a file operation"
            self.counts[command.verb].update(("kills", how))
        return done.code

    def _compare(self, place: Place) -> int:
        made = place.products()
        wrong = sorted(path for path in self.known | made if self.known.get(path) != made.get(path))
        for line in (*wrong, *place.not_up_to_date()):
            print(f"differs: {line}", file=sys.stderr)
        return len(wrong) + len(place.not_up_to_date())

    def check_run(self) -> None:
        """The last round's products are up to date for `yt8m run`, too, in a process that is not forked."""
        place = Place(self.folder / "killed")
        words = ["run", RECIPE, "blend", "--to=evaluate,submit", "--dry_run"]
        words += [f"--data={place.data}", f"--runs={place.runs}"]
        done = subprocess.run(
            [sys.executable, "-m", "yt8m_kit.cli", *words], capture_output=True, encoding="utf-8", check=False
        )
        if done.stdout != "everything is up to date\n":
            raise CampaignError(f"yt8m run: {done.stdout}{done.stderr}")

    def table(self, differing: int) -> str:
        """Rows by stage, their sum, and what differs."""
        rows = [{"stage": verb, **self._cells(count)} for verb, count in self.counts.items()]
        total = sum(self.counts.values(), Counter())
        rows.append({"stage": "all", **self._cells(total)})
        return f"{markdown(rows)}\nFiles or records that differ from a run without kills: {differing}.\n"

    @staticmethod
    def _cells(count: Counter[str]) -> dict[str, int]:
        return {name: count[name] for name in COLUMNS}


def uninterrupted(place: Place) -> None:
    """Make the data and run `yt8m run` over them, each stage in a process that is not forked."""
    for words in (command.words for command in place.commands if command.stage is None):
        attempt(words)
    words = ["run", RECIPE, "blend", "--to=evaluate,submit", f"--data={place.data}", f"--runs={place.runs}"]
    subprocess.run([sys.executable, "-m", "yt8m_kit.cli", *words], capture_output=True, check=True)


def main() -> int:
    """Run the campaign; 1 if anything is lost or differs."""
    options = _options()
    attempts.prepare()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), options.kills, options.seed)
        campaign.reference()
        differing = campaign.run()
        campaign.check_run()
        if options.fresh:
            place = campaign.fresh("fresh")
            uninterrupted(place)
            made = place.products()
            differing += sum(campaign.known[path] != content for path, content in made.items())
    show("kill_campaign", campaign.table(differing), options.write)
    return int(differing > 0 or any(count["lost"] for count in campaign.counts.values()))


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--kills", type=int, default=500)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--fresh", action="store_true", help="compare with `yt8m run`, not forked, too")
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
