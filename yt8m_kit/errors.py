"""What goes wrong in a way the user can act on: one line, and the exit code that goes with it."""

from collections.abc import Iterable
from importlib.util import find_spec


class KitError(Exception):
    """A failure that the message explains in one line: exit code 1."""

    exit_code = 1


class UsageError(KitError):
    """A request that cannot be carried out as asked; nothing was run: exit code 2."""

    exit_code = 2


class DataError(KitError):
    """Records that cannot be used; the message names file, record and field."""


def check_installed(packages: Iterable[str], extra: str) -> None:
    """Raise UsageError, which names the extra, unless these packages can be imported; none is."""
    if missing := [name for name in packages if find_spec(name) is None]:
        are = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"{' and '.join(missing)} {are} not installed; install the extra: pip install "
            f"'yt8m-kit[{extra}]' (in a checkout: make install EXTRA={extra})"
        )


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return " Did you mean 'X'?" with the most similar of the known words, or "" if none is similar."""
    from difflib import get_close_matches  # only once there is a mistake

    by_lower = {str(each).lower(): str(each) for each in known}
    close = get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean {by_lower[close[0]]!r}?" if close else ""
