"""The sample of a split in an object store reads the heads of its shards only, and is that of local files."""

import pytest

from tests.fakes import mirror
from tests.fakes.store_faults import FAULTS
from tests.support.small_shards import SMALL, damage
from yt8m_kit.data.validation import sampling
from yt8m_kit.data.validation.anomalies import Use
from yt8m_kit.data.validation.check import check_sample, copy_errors
from yt8m_kit.stores.request import StoreError

NAME = "train0003.tfrecord"


@pytest.fixture(autouse=True)
def _small_heads(monkeypatch):
    """500 bytes of each shard, and room for a record that ends after them."""
    monkeypatch.setattr(sampling, "_BYTES", 5 * 500)
    monkeypatch.setattr(sampling, "_LARGEST", 300)


def summary(paths):
    """What a sample consists of."""
    found = sampling.sample(paths, SMALL, 512)
    histograms = [feature.histogram.tolist() for feature in found.features]
    return found.records, found.labels, histograms, found.is_complete


def test_only_heads_are_requested(web):
    assert summary(web.stored) == summary(web.local)
    assert web.server.asked(NAME) == ["bytes=0-799"]
    assert max(int(wanted.partition("-")[2]) for _, wanted in web.server.seen) == 799


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_changes_nothing(web, fault):
    web.server.faults[NAME] = [fault]
    assert summary(web.stored) == summary(web.local)


def test_a_fault_that_lasts_is_named(web):
    web.server.faults[NAME] = mirror.unavailable(status=403)
    with pytest.raises(StoreError, match=rf"{NAME}: access denied \(403\)"):
        check_sample(web.stored, SMALL, "train", Use(labels=True, unique=False))


def test_damage_within_the_head_counts_as_in_a_local_file(web):
    damaged = web.local[3].parent / NAME
    damage(damaged, 100)
    web.server.files[NAME] = damaged.read_bytes()
    assert summary(web.stored) == summary(web.local)


def test_records_larger_than_the_head_are_left_out(web, monkeypatch):
    monkeypatch.setattr(sampling, "_BYTES", 0)
    monkeypatch.setattr(sampling, "_LARGEST", 20)
    assert not sampling.sample(web.stored, SMALL, 512).is_complete


def test_copies_are_found_by_md5_without_a_request(web):
    copied = [*web.stored, web.stored[3].with_name("train0007.tfrecord")]
    copied[-1] = copied[-1].__class__(copied[-1].parts, web.stored[3].entry)
    [message] = copy_errors(copied)
    assert message.startswith(f"{copied[-1]} is a copy of {NAME}")
    assert web.server.seen == []
