"""Mistakes in places: folders, variables, file systems, locales, the network."""

from tools.first_hour.case import Case

TITLE = "Places and environment"
CASES: tuple[Case, ...] = ()
