"""Small trials, and what is asked of the command line itself."""

from tools.first_hour.case import Case

TITLE = "Small trials"
CASES: tuple[Case, ...] = ()
