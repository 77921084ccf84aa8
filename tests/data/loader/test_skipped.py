"""Too many bad records end a pass, and the message names what to change; a few are skipped."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_shards import SMALL, damage, five_shards, flip_payload, ids, write
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.format.tfrecord import RecordError, index, writing
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.remedies import remedy
from yt8m_kit.data.loader.splits import count
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


def fault(shard, record, reason="data CRC mismatch"):
    return RecordError(Path(shard), record, reason)


def read(shards, dataset, limit, readers=1, total=None, **arguments):
    faults = Faults(limit, total)
    return ids(read_batches(shards, dataset, 8, faults=faults, readers=readers, **arguments)), faults


@pytest.mark.parametrize("readers", [1, 2])
@pytest.mark.parametrize("total", [None, 53])
def test_above_the_limit_reading_ends_with_the_field_to_change(shards, readers, total):
    few = replace(SMALL, classes=4)  # most of the 53 videos have a label above 3
    with pytest.raises(DataError, match=r"of 53 records are bad, more than .* max_skipped=0.05") as refusal:
        read(shards, few, 0.05, readers, total)
    assert re.search(r"Set classes in the recipe's Dataset to at least \d+\.$", str(refusal.value))


@pytest.mark.parametrize("readers", [1, 2])
def test_below_the_limit_they_are_skipped_and_their_share_is_told(shards, readers):
    flip_payload(shards[3], 2)
    found, faults = read(shards, SMALL, 0.05, readers, seed=0)
    assert len(found) == 52
    assert faults.progress == {"skipped": "1.9%"}


def test_without_bad_records_no_share_is_told(shards):
    assert read(shards, SMALL, 0.05)[1].progress == {}


def test_a_pass_in_file_order_is_judged_by_all_of_its_records(tmp_path):
    write(tmp_path / "train0000.tfrecord", range(4))
    write(tmp_path / "train0001.tfrecord", range(4, 104))
    for record in range(4):
        flip_payload(tmp_path / "train0000.tfrecord", record)
    shards = sorted(tmp_path.iterdir())
    found, faults = read(shards, SMALL, 0.05, total=count(shards))
    assert (len(found), len(faults)) == (100, 4)


def test_shuffled_epochs_are_judged_before_they_end():
    faults = Faults(0.05)
    faults.count(1000, [fault("a", number) for number in range(250)])
    with pytest.raises(DataError, match="at least 251 of 5,000 records"):
        faults.count(0, [fault("a", 250)])


def test_records_behind_a_framing_error_count(shards):
    damage(shards[0], int(index(shards[0]).offsets[5]) - 12)  # hides 15 of the 53 records
    with pytest.raises(DataError, match=r"at least 1\d of 5\d records"):
        read(shards, SMALL, 0.2)
    assert len(read(shards, SMALL, 0.4)[0]) == 53 - 15


# What to change, by what readers say about real records


def reasons(tmp_path, dataset, record):
    with writing(tmp_path / "train0000.tfrecord") as add:
        add(record)
    faults = Faults()
    with pytest.raises(DataError):
        ids(read_batches([tmp_path / "train0000.tfrecord"], dataset, 8, faults=faults))
    return [reason for _, _, reason in faults]


def record(labels=(1,), id_key="id", **widths):
    features = {
        name: np.ones((2, width), np.uint8) for name, width in (widths or {"rgb": 7, "audio": 3}).items()
    }
    return sequence_example("a", labels, features, id_key=id_key)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (record(labels=[9, 12]), "Set classes in the recipe's Dataset to at least 13."),
        (record(labels=[10]), "to at least 11, or number the labels from 0 if they begin at 1"),
        (record(labels=[0, 1] * 5), "Write the numbers of a video's classes"),
        (record(id_key="name"), "id_keys of the recipe's Dataset"),
        (record(rgb=7), "names and widths of features"),
        (record(rgb=7, audio=4), "names and widths of features"),
        (b"\x0a", "`yt8m verify` names the bad records."),
    ],
)
def test_the_remedy_names_the_field(tmp_path, made, said):
    assert said in remedy(reasons(tmp_path, SMALL, made))


@pytest.mark.parametrize(
    ("label", "classes", "is_told"), [(4000, 3862, True), (4000, 3000, False), (5000, 3862, False)]
)
def test_labels_of_the_2017_vocabulary_are_recognised(tmp_path, label, classes, is_told):
    dataset = Dataset("own", SMALL.features, classes=classes)
    assert (
        "2017 vocabulary (4,716 classes)" in remedy(reasons(tmp_path, dataset, record([label])))
    ) == is_told
