"""Shards in an object store give the batches of local files."""

import itertools
import json
import os
import threading
import time
from pathlib import Path

import pytest

from tests.fakes import mirror
from tests.stores.conftest import web  # noqa: F401 - a fixture
from tests.support.small_shards import ALL, SMALL, copies, flip_payload, ids
from tests.support.stores import NOWHERE, digest_of_epochs, forget, hurry
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.selection import Selection, read_selected, select_ids
from yt8m_kit.data.verify import verify
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.pipeline.shards import paths_of, shards_of
from yt8m_kit.recipe import Member, Recipe
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.request import RetryPolicy
from yt8m_kit.trial import Trial


@pytest.mark.parametrize("readers", [1, 3])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"seed": None, "mix": 16}, {"worker": (1, 2)}])
def test_batches_are_those_of_local_files(web, tmp_path, monkeypatch, readers, cached, arguments):  # noqa: F811
    if cached:
        monkeypatch.setenv("YT8M_CACHE", str(tmp_path / "cache"))
    expected = digest_of_epochs(web.local, **arguments)
    assert digest_of_epochs(web.stored, readers=readers, **arguments) == expected


@pytest.mark.parametrize("readers", [1, 2])
def test_reading_resumes_at_a_position(web, readers):  # noqa: F811
    arguments = {"seed": 3, "mix": 2, "epochs": 2, "readers": readers}
    local = list(read_batches(web.local, SMALL, 7, **arguments))
    resumed = read_batches(web.stored, SMALL, 7, start=local[5].position, **arguments)
    assert copies(resumed) == copies(local[6:])


def test_the_next_group_is_copied_while_one_is_read(web):  # noqa: F811
    batches = read_batches(web.stored, SMALL, 5, mix=1)
    next(batches)
    time.sleep(0.5)
    assert {name for name, _ in web.server.seen} >= {"train0000.tfrecord", "train0001.tfrecord"}
    assert "train0004.tfrecord" not in {name for name, _ in web.server.seen}
    del batches


def test_leaving_early_ends_a_copy(web, monkeypatch):  # noqa: F811
    hurry(monkeypatch, RetryPolicy())
    web.server.faults["train0001.tfrecord"] = mirror.silence
    batches = read_batches(web.stored, SMALL, 5, mix=1)
    next(batches)
    began = time.monotonic()
    del batches
    assert time.monotonic() - began < 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("copy", "open"))]


def test_a_shard_that_cannot_be_read_ends_the_run_after_the_groups_before(web):  # noqa: F811
    web.server.faults["train0002.tfrecord"] = mirror.unavailable(status=404)
    batches = read_batches(web.stored, SMALL, 7, mix=1)
    assert ids(itertools.islice(batches, 3)) == ALL[:21]
    with pytest.raises(DataError, match=r"train0002.tfrecord: not found \(404\), although it was listed"):
        next(batches)


def test_verification_reads_the_shards_of_a_web_server(web, capsys):  # noqa: F811
    assert str(verify(web.stored, SMALL, NOWHERE)) == f"{web.server.url}/verified.json"
    assert "5 shards, 53 records: none bad; 0 unchanged" in capsys.readouterr().err
    web.server.files["train0003.tfrecord"] = bytes(1963)
    with pytest.raises(KitError, match="1 of 5 shards in http"):
        verify(web.stored, SMALL, NOWHERE)
    reason = "cannot be read: its MD5 is not the one in verified.json next to it"
    assert f"bad: train0003.tfrecord: {reason}" in capsys.readouterr().err


def test_damage_known_to_the_manifest_is_reported_as_for_local_files(web):  # noqa: F811
    flip_payload(web.local[3], 2)
    with pytest.raises(KitError):
        verify(web.local, SMALL, NOWHERE)
    web.server.files |= {path.name: path.read_bytes() for path in web.local[0].parent.iterdir()}
    forget()
    stored, faults, local_faults = splits.find(StorePath.of(web.server.url), "train"), Faults(), Faults()
    expected = copies(read_batches(web.local, SMALL, 7, faults=local_faults))
    assert copies(read_batches(stored, SMALL, 7, faults=faults)) == expected
    assert faults.summary() == local_faults.summary()
    assert "train0003.tfrecord record 2: data CRC mismatch" in faults.summary()


def test_videos_are_selected_by_id(web):  # noqa: F811
    chosen = select_ids(web.stored, SMALL.id_keys, ["v040", "v001"])
    assert [video.id for video in read_selected(chosen, SMALL, Faults())] == ["v001", "v040"]
    first = Selection(web.stored, 2)
    assert [video.id for video in read_selected(first, SMALL, Faults())] == ALL[:2]


def test_records_of_sources_are_those_of_local_files(web):  # noqa: F811
    stored, local = (experiment(data) for data in (StorePath.of(web.server.url), web.local[0].parent))
    assert shards_of(stored, "train") == shards_of(local, "train")
    assert shards_of(stored, "test") is None
    assert json.dumps(shards_of(stored, "train"))


@pytest.mark.parametrize("videos", [2, 20, 21, 25, 53])
def test_a_trial_reads_the_first_records(web, tmp_path, videos):  # noqa: F811
    stored, local = (
        experiment(data, tmp_path / name, limit_videos=videos)
        for data, name in ((StorePath.of(web.server.url), "a"), (web.local[0].parent, "b"))
    )
    assert shards_of(stored, "train") == shards_of(local, "train")
    expected = copies(read_batches(paths_of(local, "train"), SMALL, 4, seed=3))
    for readers in (1, 2):
        paths = paths_of(stored, "train")
        assert copies(read_batches(paths, SMALL, 4, seed=3, readers=readers)) == expected


def experiment(data, runs=Path("runs"), limit_videos=None):
    """An experiment on the small shards; limit_videos: a trial."""
    given = Experiment(Recipe("small", "d", SMALL, {"m": Member("frame_logistic", steps=9)}), data, runs)
    return given.limited(Trial(limit_videos=limit_videos)) if limit_videos else given


def test_descriptors_are_closed(web):  # noqa: F811
    digest_of_epochs(web.stored)
    before = len(os.listdir("/proc/self/fd"))
    for readers in (1, 2):
        digest_of_epochs(web.stored, readers=readers)
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # a connection that is kept
