"""A pass over a split: its bar shows what is skipped, and too much of it ends the pass."""

from dataclasses import replace

import pytest

from tests.support.small_shards import SMALL, five_shards, flip_payload
from yt8m_kit.errors import DataError
from yt8m_kit.inference.sweep import sweep_split


def swept(paths, dataset):
    """Videos of a pass."""
    return sum(count for _, count in sweep_split(lambda batch: len(batch.ids), dataset, paths, "predict"))


def bar(capsys):
    """The last state of the progress bar."""
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("predict:")][-1]


@pytest.mark.parametrize("readers", ["1", "2"])
@pytest.mark.parametrize(("bad", "share"), [(1, "1.9%"), (2, "3.8%")])
def test_the_bar_shows_the_skipped_share_of_the_records(tmp_path, monkeypatch, capsys, bad, share, readers):
    """One or two of 53."""
    monkeypatch.setenv("YT8M_READERS", readers)
    paths = five_shards(tmp_path)
    for record in range(bad):
        flip_payload(paths[3], record)
    assert swept(paths, SMALL) == 53 - bad
    assert f"skipped={share}]" in bar(capsys)


def test_the_bar_shows_no_share_where_nothing_is_skipped(tmp_path, capsys):
    assert swept(five_shards(tmp_path), SMALL) == 53
    assert "skipped" not in bar(capsys)


@pytest.mark.parametrize(("allowed", "is_refused"), [(0.05, True), (0.06, False)])
def test_the_dataset_allows_a_share(tmp_path, allowed, is_refused):
    """3 of 53 are 5.7%."""
    paths = five_shards(tmp_path)
    for record in range(3):
        flip_payload(paths[0], record)
    dataset = replace(SMALL, max_skipped=allowed)
    if is_refused:
        with pytest.raises(DataError, match=r"at least 3 of 53 records are bad, .* max_skipped=0\.05 allows"):
            swept(paths, dataset)
    else:
        assert swept(paths, dataset) == 50
