"""Every mistake of tools.first_hour, as a person would make it, in a process of its own."""

import pytest

from tools.first_hour.__main__ import AREAS
from tools.first_hour.case import meet

CASES = [pytest.param(case, id=case.what) for area in AREAS for case in area.CASES]


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_its_exit_code_and_one_line(case, tiny_data, tmp_path):
    outcome = meet(case, tmp_path / "place", tiny_data.path)
    assert (outcome.code, case.says in outcome.said) == (case.code, True), outcome
