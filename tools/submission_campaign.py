"""Generate docs/submission_faults.md: 100 faults of CreateSubmission, and never two submissions.

    python -m tools.submission_campaign [--workers 3] [--only TEXT] [--write]

Every scenario runs `yt8m submit --to=kaggle` up to three times, each in a process of its own with the
unmodified kaggle package, against the server of tests/fakes/kaggle_server.py: under the fault, at once again,
and again after the quiet period. Only the waiting times are shortened. Takes about ten minutes on two cores.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from tests.fakes.kaggle_entrant import Entrant, entrant
from tests.fakes.kaggle_faults import GOOD_KEY, status
from tests.fakes.kaggle_server import ALWAYS, Fault, KaggleServer
from yt8m_kit.submission.kaggle.attempt import QUIET

ROOT = Path(__file__).resolve().parent.parent
DOUBT = 11

# The command line, with short waits.
SHORT = """
import sys
from yt8m_kit.cli.main import main
from yt8m_kit.submission.kaggle import attempt, await_score, bounded
attempt.LOOKS, await_score.POLLS = (0.01,) * 4, (0.01, 0.05)
bounded.CREATE_SECONDS, bounded.TOTAL = (10, 5), 10.0
sys.exit(main(sys.argv[1:]))
"""

FAULTS = {
    **{f"HTTP {code}": status(code) for code in (400, 401, 403, 404, 408, 409, 422, 429, 500, 503, 504)},
    "HTTP 502 in HTML": Fault("html", 502),
    "connection reset": Fault("reset"),
    "no response": Fault("silent"),
    "endless response": Fault("drip"),
    "200 without JSON": Fault("garbage"),
    "200 without a number": Fault("body", message='{"message": "?"}'),
    "redirect to itself": Fault("redirect"),
    "SIGINT to the client": Fault("silent"),
    "SIGKILL to the client": Fault("silent"),
}
SIGNALS = {"SIGINT to the client": signal.SIGINT, "SIGKILL to the client": signal.SIGKILL}
NEVER = "no"
HIDDEN = {"-": 0, "at once": 0, "at the third look": 2, "after the first command": 5, NEVER: ALWAYS}
"""Requests of the list that do not show the submission, by when it is listed; "-": it is not made."""


class Scenario(NamedTuple):
    """A fault, and when the submission is listed that is made all the same; "-" if none is made."""

    fault: str
    listed: str

    @property
    def made(self) -> bool:
        return self.listed != "-"


SCENARIOS = [Scenario(*each) for each in product(FAULTS, HIDDEN)]


class Outcome(NamedTuple):
    """Exit codes of the commands; requests to make a submission, and submissions, after each of them."""

    scenario: Scenario
    codes: list[int]
    requests: list[int]
    submissions: list[int]

    @property
    def good(self) -> bool:
        """Whether there is one submission and the last command knows it, or none is known and it says so.

        A command makes one request at most, the second command none while the first is in doubt.
        """
        final = self.submissions[-1], self.codes[-1]
        expected = (1, DOUBT) if self.scenario.listed == NEVER else (1, 0)
        steps = [after - before for before, after in zip([0, *self.requests], self.requests)]
        return (
            final == expected and max(self.submissions) == 1 and max(steps) == 1 and steps[1:2] in ([], [0])
        )


def run(scenario: Scenario) -> Outcome:
    """Run the command until it succeeds: at most under the fault, at once again, after the quiet period."""
    outcome = Outcome(scenario, [], [], [])
    with tempfile.TemporaryDirectory() as folder, KaggleServer() as server:
        user = entrant(Path(folder) / "home")
        server.pending, server.hidden = 0, HIDDEN[scenario.listed]
        server.fail("create", FAULTS[scenario.fault]._replace(made=scenario.made))
        for command in range(3):
            if command == 2 and scenario.listed != NEVER:
                user.age_request(QUIET)
            stop = SIGNALS.get(scenario.fault) if command == 0 else None
            outcome.codes.append(_command(user, server, stop, made=scenario.made))
            outcome.requests.append(server.steps().count("create"))
            outcome.submissions.append(len(server.submissions))
            if outcome.codes[-1] == 0:
                break
    print("good" if outcome.good else "BAD ", outcome.codes, *scenario, sep="  ", file=sys.stderr)
    return outcome


def _command(user: Entrant, server: KaggleServer, stop: signal.Signals | None, *, made: bool) -> int:
    """Exit code of the command; `stop` is sent to it once the submission was requested (and made)."""
    process = subprocess.Popen(
        [sys.executable, "-c", SHORT, *user.words()], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        env=user.environment() | server.environment() | {"PYTHONPATH": str(ROOT)} | GOOD_KEY,
    )  # fmt: skip
    if stop:
        while process.poll() is None and not (server.submissions if made else "create" in server.steps()):
            time.sleep(0.01)
        process.send_signal(stop)
    return process.wait(timeout=300)


HEAD = """# Faults of the request that makes a submission

`python -m tools.submission_campaign --write` generates this page. Each row is a fault of CreateSubmission:
how the request failed, whether a submission was made all the same, and when Kaggle's list shows it. The
command runs under the fault, at once again, and once more after the quiet period of an hour (in rows where
the submission is never listed: before its end), until it exits with 0. Exit codes are those of
[faults.md](faults.md).

A row is good if there is never more than one submission, each command makes one request at most, the second
command none, and in the end either the command has found or made the one submission (0) or says that it may
exist (11). What no client can exclude: a submission that Kaggle makes and does not list for an hour is taken
for one that was not made.

"""


def table(outcomes: list[Outcome]) -> str:
    """The outcomes in Markdown."""
    good = sum(outcome.good for outcome in outcomes)
    lines = [
        f"{good} of {len(outcomes)} are good.\n",
        "| fault | made | listed | exit codes | requests | submissions | good |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in outcomes:
        cells = [row.scenario.fault, "yes" if row.scenario.made else "no", row.scenario.listed,
                 ", ".join(map(str, row.codes)), row.requests[-1], row.submissions[-1],
                 "yes" if row.good else "NO"]  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the scenarios and print the table; returns 1 if a row is not good."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--only", default="", help="scenarios whose fault contains TEXT")
    parser.add_argument("--write", action="store_true", help="write docs/submission_faults.md")
    options = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS if options.only in scenario.fault]
    with ThreadPoolExecutor(options.workers) as pool:
        outcomes = list(pool.map(run, chosen))
    print(table(outcomes), end="")
    if options.write:
        (ROOT / "docs" / "submission_faults.md").write_text(HEAD + table(outcomes))
    return int(not all(outcome.good for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
