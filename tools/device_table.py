"""What is equal on two devices, by family: the table of docs/devices.md.

    python -m tools.device_table [--write] [ROW ...]

Each toy of tests/support/families.py is trained for three steps by one process on two virtual CPU devices and
by two processes on one each; and its compiled step is searched for what devices send each other.
"""

import argparse
import json
from collections import Counter

from benchmarks.harness import docs_tables
from tests.support import two_processes
from yt8m_kit.output.tables import Row, markdown

SCRIPT = "tests.support.sharded_families"


def values(text: str) -> dict[str, object]:
    """Parse a name and a value from each line."""
    return dict(json.loads(line) for line in text.splitlines())


def rows(names: list[str]) -> list[Row]:
    """A row for each toy."""
    train, compiled = ([f"-m{SCRIPT}", what, *names] for what in ("train", "compile"))
    one = values(two_processes.one_process(train).stdout)
    two = [values(out) for _, out, _ in two_processes.finish(two_processes.start(train, train))]
    sent = values(two_processes.one_process(compiled).stdout)
    return [
        {
            "toy": name,
            "two processes and one": "byte-equal"
            if all(one[name] == each.get(name) for each in two)
            else "DIFFER",
            "sent between devices": ", ".join(f"{n} {kind}" for kind, n in _counted(sent[name])),
        }
        for name in one
    ]


def _counted(kinds: object) -> list[tuple[str, int]]:
    return sorted(Counter(kinds if isinstance(kinds, list) else []).items())


def main() -> None:
    """Print the table and, if asked, write it into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*", metavar="ROW")
    options = parser.parse_args()
    docs_tables.show("devices", markdown(rows(options.names)), options.write)


if __name__ == "__main__":
    main()
