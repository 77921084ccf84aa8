"""What a machine lacks, and how it ends processes."""

from tools.first_hour.case import Case

TITLE = "The machine"
CASES: tuple[Case, ...] = ()
