"""Differences of two sets of sources: complete, without false positives, and named."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from yt8m_kit.output.provenance import changes

names = st.text("abcdef_", min_size=1, max_size=6)
values = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | names | st.lists(st.integers(0, 3))
)
settings = st.dictionaries(names, values | st.dictionaries(names, values, max_size=3), max_size=5)
shards = st.dictionaries(names, st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4)
sources = st.fixed_dictionaries(
    {
        "settings": settings,
        "splits": st.dictionaries(st.sampled_from(["train", "validate", "test"]), shards, max_size=3),
        "products": st.dictionaries(names, names, max_size=3),
        "format": st.integers(1, 3),
    }
)


def kept(found):
    """The sources as read back from a record."""
    return json.loads(json.dumps(found))


@given(sources)
def test_equal_sources_do_not_differ(found):
    assert changes(kept(found), kept(copy.deepcopy(found))) == []


@given(sources, sources)
def test_different_sources_differ(before, after):
    """Splits are compared if both sides have them."""
    before, after = kept(before), kept(after)
    both = before["splits"].keys() & after["splits"].keys()
    same = all(before["splits"][split] == after["splits"][split] for split in both)
    same = same and all(before[kind] == after[kind] for kind in ("settings", "products", "format"))
    assert (changes(before, after) == []) == same


@given(sources, names, st.integers(10, 19))
def test_a_changed_setting_is_named_with_both_values(found, name, value):
    before, after = kept(found), kept(found)
    before["settings"][name], after["settings"][name] = value, value + 1
    assert changes(before, after) == [f"{name} was {value}, is now {value + 1}"]


@given(sources, st.sampled_from(["train", "test"]))
def test_only_the_splits_asked_for_are_compared(found, split):
    before, after = kept(found), kept(found)
    before["splits"]["train"], after["splits"]["train"] = {"a": [1, 1]}, {"a": [2, 1]}
    assert bool(changes(before, after, {split})) == (split == "train")


@given(shards)
def test_unknown_counts_of_records_are_not_compared(found):
    known = {"splits": {"train": {name: [size, records] for name, (size, records) in found.items()}}}
    unknown = {"splits": {"train": {name: [size, None] for name, (size, _) in found.items()}}}
    assert changes(known, unknown) == changes(unknown, known) == []
    more = {"splits": {"train": {name: [size, records + 1] for name, (size, records) in found.items()}}}
    assert len(changes(known, more)) == 1
