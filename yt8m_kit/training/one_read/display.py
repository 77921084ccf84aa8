"""What the members' processes say, on one stderr: on a terminal a line with the state of each below it."""

import re
import sys
from collections.abc import Iterable, Sequence

from tqdm import tqdm

from yt8m_kit.output import progress

STATE = re.compile(r"\d+%\||\d \w+ \[|\dB \[")  # in a line of a bar


class Display:
    """Lines of several members, each with its member's name before it."""

    def __init__(self, names: Sequence[str]):
        self._bars = {name: _bar(place) for place, name in enumerate(names) if sys.stderr.isatty()}

    def follow(self, name: str, lines: Iterable[bytes]) -> None:
        """Show a member's lines until they end."""
        for line in lines:
            if text := line.decode(errors="replace").rstrip():
                self._show(name, text)
        if name in self._bars:
            self._bars[name].close()
            # A bar that was not the first one leaves the cursor at the end of its blanks.
            tqdm.write("", file=sys.stderr, end="\r")

    def _show(self, name: str, text: str) -> None:
        named = f"{name}: {text.removeprefix('yt8m: ').removeprefix(f'{name}: ')}"
        if name in self._bars and STATE.search(text):
            self._bars[name].set_description_str(named)
        else:
            progress.say(named)


def _bar(place: int) -> "tqdm[None]":
    """A line of the terminal that is replaced in its place."""
    return tqdm(bar_format="{desc}", position=place, leave=False, dynamic_ncols=True, file=sys.stderr)
