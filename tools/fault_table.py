"""Generate docs/faults.md: message, exit code and duration of each fault of a submission to Kaggle.

    python -m tools.fault_table [--workers 4] [--only TEXT] [--write]

Each fault of tests/fakes/kaggle_faults.py is met by a process of its own, `python -m yt8m_kit.cli submit
...`, with the unmodified kaggle package and the real waiting times, against the server of
tests/fakes/kaggle_server.py. Takes half an hour, the longest that a score is waited for.
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

HEAD = """# Faults of a submission to Kaggle

Message, exit code and duration of `yt8m submit --to=kaggle` for each fault. Progress is never lost: the same
command resumes. `make faults` generates this page with the unmodified kaggle package, a process for each
fault and a server on the loopback interface. TAG stands for the random tag of a submission, ~ for the home
folder.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a file that cannot be used, e.g. a malformed CSV |
| 2 | misuse, e.g. a file submitted twice without --again |
| 3 | no credentials, or none that Kaggle accepts |
| 4 | rules not accepted, competition closed |
| 5 | competition or submission not found |
| 6 | submission quota exhausted |
| 7 | Kaggle cannot be reached, or does not answer |
| 8 | the upload failed |
| 9 | Kaggle refused the submission, or could not score it |
| 10 | the submission was made and has no score yet |
| 11 | the submission may have been made, and is not listed; the same command looks for it first |
| 130 | interrupted |

Every wait is bounded: five minutes for a call, ten for an upload without progress, thirty for a score.

## Exactly one submission

CreateSubmission is requested once by a command. No failure of it proves that nothing was made, so that the
command then looks for the submission's tag in Kaggle's list, for half a minute. If it is not listed, a
refusal (400, 401, 403, 404, 409) ends with its own exit code, anything else with 11. Later commands look
first, and request the submission again only if it is still not listed an hour after the last request: a
request to a service on Google Cloud may be processed for up to an hour. What this rests on, tried with 100
faults around that request: [submission_faults.md](submission_faults.md).

## Credentials

In the order of precedence of the kaggle package (2.2.4):

1. the variable `KAGGLE_API_TOKEN` (a token, or the path of a file with one), then `~/.kaggle/access_token`,
   then `~/.kaggle/access_token.txt`;
2. the variables `KAGGLE_USERNAME` and `KAGGLE_KEY`, each in place of its value in `kaggle.json`. This file
   is in `$KAGGLE_CONFIG_DIR`, if set; otherwise in `~/.kaggle`, if that folder exists; otherwise, on Linux,
   in `$XDG_CONFIG_HOME/kaggle`, by default `~/.config/kaggle`;
3. `~/.kaggle/credentials.json`, which `kaggle auth login` writes.

The command says which source it uses, and which ones that overrides.

## Faults

"""


class Row(NamedTuple):
    """Outcome of a fault."""

    case: Case
    code: int
    last: str
    submissions: int
    seconds: float


def meet(case: Case) -> Row:
    """Run the command under a fault, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, KaggleServer() as server:
        user = entrant(Path(folder) / "home")
        prepare(case, server, user)
        environment = user.environment() | server.environment() | {"PYTHONPATH": str(ROOT)} | dict(case.env)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "yt8m_kit.cli", *user.words()],
            env=environment, cwd=folder, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        last = done.stderr.splitlines()[-1].replace(str(user.home), "~")
        last = re.sub(r"yt8m-[0-9a-f]{8}", "TAG", last)
        row = Row(case, done.returncode, last, len(server.submissions), seconds)
    print(f"{row.seconds:7.1f} s  exit {row.code}  {case.what}", file=sys.stderr)
    return row


def wrong(row: Row) -> bool:
    """Whether a row differs from what the tests expect."""
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
    """Run all faults and print the table; returns 1 if a row differs from what the tests expect."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", default="", help="faults whose description contains TEXT")
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
