"""Run every stage on a disk that fills, at six levels, and then, with room again, the same command.

    python -m tools.full_disk [--only VERB,...] [--levels 0,3] [--write]

All stages of tools/faults/recipes/every_stage.py in order, on a tmpfs of which all but some bytes are taken
(where mounting is not possible: under RLIMIT_FSIZE). Levels are parts of what the stage takes at most.
Trainings, predictions and the like start from an attempt that was killed half way. Right is: exit code 1,
one line that names a file and the reason, all that was there before intact, nothing left behind; and with
room again the same command comes through with the bytes of a run that always had room. A level at which a
stage comes through, with those bytes, is "enough": room is measured in pages, and a stage may need less.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.docs_tables import parser, show
from tools.faults import attempts
from tools.faults.attempts import Outcome, attempt
from tools.faults.disks import Disk, disk_at
from tools.faults.stages import Command, Place
from tools.kill_campaign import operations
from yt8m_kit.cli.process.endings import FAULT
from yt8m_kit.output.tables import Row, markdown

# At a write, or before a stage begins.
REASON = re.compile("No space left on device|File too large|has too little space: .* Make room")
IN_PLACE = ("metrics.jsonl", "state.npz", "state.previous.npz", "state.next.npz")


def intact(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Files that a failed attempt has lost or changed, or left behind; those that grow in place aside."""
    kept = [path for path in before if not path.endswith(IN_PLACE) and "/." not in path]
    kept = [path for path in kept if ".shards/" not in path]
    changed = [path for path in kept if after.get(path) != before[path]]
    left = [path for path in after.keys() - before.keys() if re.search(r"/\.(?!.*lock$)|\.members/", path)]
    return changed + left


def failed_well(done: Outcome) -> str:
    """What is wrong with how a process failed; empty where nothing is."""
    lines = done.stderr.splitlines() or [""]
    if done.code != 1:
        return f"exit {done.code}"
    if "Traceback" in done.stderr or "Exception ignored" in done.stderr:
        return "traceback"
    if FAULT in done.stderr:
        return "a fault of the kit"
    if sum(line.startswith("yt8m: ") for line in lines) != 1 or not lines[-1].startswith("yt8m: "):
        return "not one line"
    return "" if REASON.search(lines[-1]) else f"no reason: {lines[-1]}"


class Trial:
    """A stage at one level after the other."""

    def __init__(self, disk: Disk, place: Place, command: Command, backup: Path):
        self.disk, self.place, self.command, self.backup = disk, place, command, backup
        self.most, self.after = self._measure()

    def _restore(self) -> None:
        shutil.rmtree(self.place.root)
        self._copy(self.backup, self.place.root)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        subprocess.run(["cp", "-a", str(source), str(target)], check=True)

    def _save(self) -> None:
        shutil.rmtree(self.backup, ignore_errors=True)
        self._copy(self.place.root, self.backup)

    def _measure(self) -> tuple[int, dict[str, str]]:
        """Bytes that the stage takes, and what it makes with room; before, an attempt may be killed."""
        self._save()
        stage = self.command.stage
        if stage is not None and stage.partials:
            done = attempt(self.command.words, operations(self.place.root))
            self._restore()
            attempt(self.command.words, operations(self.place.root, int((done.figure or 0) * 0.6)))
            self._save()
        done = attempt(self.command.words, self.disk.measured())
        if done.code or done.figure is None:
            raise SystemExit(f"{' '.join(self.command.words)}: {done.stderr}")
        return done.figure, self.place.products()

    def meet(self, level: int) -> str:
        """The file that the message names, or after WRONG what is."""
        self._restore()
        before, progress = self.place.products(), self.command.progress()
        with self.disk.limited(level) as limit:
            done = attempt(self.command.words, limit)
        wrong = []
        if done.code:
            wrong = [failed_well(done), *intact(before, self.place.products())]
            if self.command.progress() < progress:
                wrong.append("progress lost")
        again = attempt(self.command.words)
        if again.code:
            wrong.append(f"then exit {again.code}: {again.stderr.splitlines()[-1]}")
        after = self.place.products()
        wrong += [path for path in after | self.after if after.get(path) != self.after.get(path)]
        found = [each for each in wrong if each]
        if found:
            print(f"{self.command.words}, {level} B: {found}\n{done.stderr}", file=sys.stderr)
            return f"WRONG: {found[0]}"
        return self._named(done) if done.code else "enough"

    def _named(self, done: Outcome) -> str:
        pattern = rf"{self.place.root}/(?:runs/every_stage/)?(\S*?)[: ]"
        named = re.search(pattern, done.stderr.splitlines()[-1])
        return f"`{named[1]}`" if named else "WRONG: no file is named"

    def row(self, chosen: list[int]) -> Row:
        """The stage's row of the table."""
        levels = self.disk.levels(self.most)
        cells = {
            self.disk.names[number]: self.meet(levels[number]) if levels[number] < self.most else "enough"
            for number in chosen
        }
        return {"stage": self.command.title, "bytes": self.most, **cells}


def main() -> int:
    """Run all trials; 1 if anything is not right."""
    options = _options()
    attempts.prepare()
    only = set(options.only.split(",")) - {""}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other, \
            disk_at(Path(folder)) as disk:  # fmt: skip
        place = Place(Path(folder) / "work")
        place.root.mkdir()
        rows = []
        for command in place.commands:
            if only and command.verb not in only:
                attempt(command.words)
                continue
            rows.append(Trial(disk, place, command, Path(other) / "backup").row(options.levels))
            print(rows[-1], file=sys.stderr)
        named = "Cells name the file, or the folder, that the message names."
        text = f"The disk: {disk.what}. {named}\n\n{markdown(rows)}"
    show("full_disk", text, options.write)
    return int("WRONG" in text)


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--only", default="", help="verbs, separated by commas; others run with room")
    made.add_argument(
        "--levels", type=lambda text: [int(each) for each in text.split(",")], default=[*range(6)]
    )
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
