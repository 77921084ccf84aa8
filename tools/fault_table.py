"""What a user sees of each fault on the way to Kaggle, and after how long: the table of docs/faults.md.

    python -m tools.fault_table [--workers 4] [--only TEXT] [--write]

Every fault of tests/fakes/kaggle_faults.py is met by a process of its own, `python -m yt8m_kit.cli submit
...`, with the kaggle package and all waiting times as they are, against the server of
tests/fakes/kaggle_server.py. Takes half an hour, as one of them is that a score never comes.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fakes.kaggle_entrant import entrant
from tests.fakes.kaggle_faults import CASES, Case, prepare
from tests.fakes.kaggle_server import KaggleServer

ROOT = Path(__file__).resolve().parent.parent

HEAD = """# Faults on the way to Kaggle

What `yt8m submit --to=kaggle` prints when something goes wrong, its exit code, and after how many seconds.
Nothing is lost: the same command resumes. `make faults` writes this page: it provokes each fault with the
unmodified kaggle package, in a separate process, against a loopback server. TAG stands for the random mark of
a submission, ~ for the user's home.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a file that cannot be used, e.g. a malformed CSV |
| 2 | misuse, e.g. a file submitted twice without --again |
| 3 | no credentials, or none that Kaggle accepts |
| 4 | rules not accepted, competition closed |
| 5 | competition or submission not found |
| 6 | no submission left for now |
| 7 | Kaggle cannot be reached, or does not respond |
| 8 | the upload failed |
| 9 | Kaggle refuses the file, or could not score it |
| 10 | submitted, no score yet |
| 11 | unknown whether the submission was made; the next run looks for it first |
| 130 | interrupted |

Every wait is bounded: a call ends after five minutes at most, an upload without progress after ten, the wait
for a score after thirty.

"""


class Row(NamedTuple):
    """What came of a case."""

    case: Case
    code: int
    last: str
    submissions: int
    seconds: float


def meet(case: Case) -> Row:
    """Run a case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, KaggleServer() as server:
        user = entrant(Path(folder) / "home")
        prepare(case, server, user)
        environment = user.environment() | server.environment() | {"PYTHONPATH": str(ROOT)} | dict(case.env)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "yt8m_kit.cli", *user.words()],
            env=environment, cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        last = done.stderr.splitlines()[-1].replace(str(user.home), "~")
        last = re.sub(r"yt8m-[0-9a-f]{8}", "TAG", last)
        row = Row(case, done.returncode, last, len(server.submissions), seconds)
    print(f"{row.seconds:7.1f} s  exit {row.code}  {case.what}", file=sys.stderr)
    return row


def wrong(row: Row) -> bool:
    """Whether a row is not what the tests expect."""
    case = row.case
    return (row.code, row.submissions) != (case.code, case.submissions) or case.says not in row.last


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| fault | exit | submissions made | seconds | last line |", "|---|---|---|---|---|"]
    for row in rows:
        last = row.last.replace("|", "\\|")
        lines.append(f"| {row.case.what} | {row.code} | {row.submissions} | {row.seconds:.1f} | `{last}` |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Meets the faults and prints the table; 1 if a row is not as the tests expect it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", default="", help="a part of the names of the faults")
    parser.add_argument("--write", action="store_true", help="write docs/faults.md")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in case.what]
    with ThreadPoolExecutor(options.workers) as pool:
        # The longest first.
        rows = list(pool.map(meet, reversed(cases)))[::-1]
    print(table(rows), end="")
    if options.write:
        (ROOT / "docs").mkdir(exist_ok=True)
        (ROOT / "docs" / "faults.md").write_text(HEAD + table(rows))
    return int(any(map(wrong, rows)))


if __name__ == "__main__":
    sys.exit(main())
