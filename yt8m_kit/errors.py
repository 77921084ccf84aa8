"""What goes wrong in a way the user can act on: one line, and the exit code that goes with it."""


class KitError(Exception):
    """A failure that the message explains in one line: exit code 1."""

    exit_code = 1


class UsageError(KitError):
    """A request that cannot be carried out as asked; nothing was run: exit code 2."""

    exit_code = 2


class DataError(KitError):
    """Records that cannot be used; the message names file, record and field."""
