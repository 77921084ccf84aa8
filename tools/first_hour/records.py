"""Records that are legal one by one and wrong as a set."""

from tools.first_hour.case import Case

TITLE = "Records"
CASES: tuple[Case, ...] = ()
