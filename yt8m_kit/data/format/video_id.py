"""Which ids of videos a CSV can hold."""

import re

_BREAKS = re.compile(r"[\s,\0]+")  # would end a field or a line of the CSV


def is_usable(identity: str) -> bool:
    """Whether an id can be written to a CSV: it is not empty and has no blank, comma or NUL."""
    return bool(identity) and not _BREAKS.search(identity)


def cleaned(identity: str) -> str:
    """The id with each run of blanks, commas and NULs replaced by `_`; those at its ends are dropped."""
    return _BREAKS.sub("_", identity.strip())
