"""The share of the products' rate is measured for every family."""

from benchmarks.training import share
from yt8m_kit import models


def test_every_family_has_a_case():
    assert sorted(share.CASES) == sorted(models.families())
