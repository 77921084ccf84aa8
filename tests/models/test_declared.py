"""Hyperparameters read from a family's source are those of its build."""

import inspect
from importlib import import_module

import pytest

from tests.support.families import ROWS, TOY
from yt8m_kit import models
from yt8m_kit.errors import UsageError
from yt8m_kit.models import _declared

NEEDY = "def build(dataset, *, width: Count, depth: int = 3): ...\n"


@pytest.mark.parametrize("family", models.families())
def test_source_and_signature_agree(family):
    found = inspect.signature(import_module(f"yt8m_kit.models.{family}").build).parameters
    keywords = {name: each for name, each in found.items() if each.kind is each.KEYWORD_ONLY}
    declared = _declared.declared(family)
    assert list(declared) == list(keywords)
    for name, each in declared.items():
        assert (each.kind, each.default) == (keywords[name].annotation, keywords[name].default)


@pytest.mark.parametrize("family", models.families())
def test_defaults_are_allowed(family):
    models.check(family, {name: each.default for name, each in _declared.declared(family).items()})


@pytest.mark.parametrize("row", ROWS)
def test_hyperparameters_of_the_tests_fit(row):
    family, hyperparameters = ROWS[row]
    models.check(family, hyperparameters)
    models.check_sizes(family, TOY, hyperparameters)


def test_missing_hyperparameters_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_declared, "FOLDER", tmp_path)
    (tmp_path / "needy.py").write_text(NEEDY, encoding="utf-8")
    with pytest.raises(UsageError, match=r"needy needs the hyperparameter width; it has: width, depth\."):
        models.check("needy", {"depth": 1})


@pytest.mark.parametrize(
    ("family", "hyperparameters", "message"),
    [
        ("hg_nl", {"reduction": 5}, "features must be divisible by reduction; got 24, reduction=5"),
        ("hg_nl", {"reduction": 3, "query_groups": 16}, "divisible by query_groups; got 24 and 16"),
        ("hg_nl", {"reduction": 3, "query_groups": 4, "value_groups": 3}, "divisible by value_groups; got 8"),
        ("nextvlad", {"groups": 5}, "32 expanded features of rgb must be divisible .*; got 5"),
        ("nextvlad", {"groups": 1}, "expanded features of audio must be divisible .*; got 0 from groups=1"),
        ("nextvlad", {"hidden": 10, "reduction": 4}, "hidden must be divisible by reduction"),
        ("netvlad", {"reduction": 9}, "reduction must be at most the width of a feature, 8; got 9"),
    ],
)
def test_sizes_that_do_not_fit_the_data_set(family, hyperparameters, message):
    models.check(family, hyperparameters)
    with pytest.raises(UsageError, match=message):
        models.check_sizes(family, TOY, hyperparameters)
