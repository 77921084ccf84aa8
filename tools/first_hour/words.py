"""Mistakes in the words of a command line."""

from tools.first_hour.case import Case

TITLE = "Words"
CASES = (
    Case("an unknown verb", "yt8m trian tiny netvlad", 2, "no verb 'trian'"),
    Case("an unknown recipe", "yt8m train tyni netvlad", 2, "no recipe 'tyni'"),
    Case("an unknown member", "yt8m train tiny netvald", 2, "no member 'netvald'"),
)
