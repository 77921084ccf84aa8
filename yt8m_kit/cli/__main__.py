"""python -m yt8m_kit.cli, and the script yt8m."""

import sys

from yt8m_kit.machine.interrupts import ending_the_process


def start() -> int:
    """Import the command line, which Ctrl-C ends at once, and run it."""
    with ending_the_process():
        from yt8m_kit.cli.main import main
    return main()


if __name__ == "__main__":
    sys.exit(start())
