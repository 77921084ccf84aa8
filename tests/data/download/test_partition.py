"""The official plan: names, numbers and shares, against published facts."""

import json
import string

import pytest

from yt8m_kit.data.download.partition import Partition, Shard, parse_plan, parse_share, select
from yt8m_kit.errors import DataError, UsageError

DIGITS = string.ascii_lowercase + string.ascii_uppercase + string.digits
MD5 = "0" * 32


def plan(split):
    """A complete plan with the official names, as bytes."""
    return json.dumps({"files": {f"{split}{a}{b}.tfrecord": MD5 for a in DIGITS for b in DIGITS}}).encode()


def test_the_3844_files_are_numbered_by_their_characters():
    shards = parse_plan(plan("train"))
    assert [shard.local for shard in shards] == [f"train{number:04d}.tfrecord" for number in range(3844)]
    known = {"aa": 0, "aA": 26, "a0": 52, "0t": 3243, "99": 3843}
    for letters, number in known.items():
        assert shards[number].remote == f"train{letters}.tfrecord"


def test_share_1_of_100_of_train_has_the_published_files():
    share = select(parse_plan(plan("train")), (1, 100), None)
    assert len(share) == 41
    assert (share[0].local, share[-1].local) == ("train0093.tfrecord", "train3749.tfrecord")


def test_share_1_of_1000_of_each_split_has_the_published_number_of_files():
    counts = [
        len(select(parse_plan(plan(split)), (1, 1000), None)) for split in ("train", "validate", "test")
    ]
    assert counts == [5, 5, 4]


def test_shares_are_a_partition():
    shards = parse_plan(plan("test"))
    shares = [select(shards, (x, 7), None) for x in range(1, 8)]
    assert sorted(shard for share in shares for shard in share) == sorted(shards)


def test_a_limit_takes_the_first():
    shards = parse_plan(plan("test"))
    assert select(shards, None, 3) == shards[:3]
    assert select(shards, (1, 100), 2) == select(shards, (1, 100), None)[:2]
    with pytest.raises(UsageError, match="--shard=1,100000 --limit=None leaves no file of 3844"):
        select(shards, (1, 100000), None)


@pytest.mark.parametrize("text", ["", "1", "0,5", "6,5", "1,2,3", "a,b", "1, 2", "-1,5"])
def test_invalid_shares_are_refused(text):
    with pytest.raises(UsageError, match="1 <= X <= Y"):
        parse_share(text)


def test_paths_of_a_partition(tmp_path):
    partition = Partition("2", "frame", "train")
    assert str(partition) == "2/frame/train"
    assert partition.folder(tmp_path) == tmp_path / "2/frame/train"
    assert partition.plan == "2/download_plans/frame_train.json"


def test_an_unpublished_partition_is_refused():
    with pytest.raises(UsageError, match="version 3 has validate and test; got train"):
        Partition("3", "frame", "train")
    with pytest.raises(UsageError, match="only level frame; got video"):
        Partition("3", "video", "test")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>AccessDenied</html>",
        b"[]",
        b'{"files": []}',
        b'{"files": {}}',
        b'{"files": {"../../etc/passwd": "00000000000000000000000000000000"}}',
        b'{"files": {"trainaa.tfrecord": "short"}}',
        b'{"files": {"trainaa.tfrecord": null}}',
        b"\xff\xfe",
    ],
)
def test_other_text_is_refused_as_a_plan(text):
    with pytest.raises(DataError, match="not a download plan"):
        parse_plan(text)


def test_shard_names_are_checked_before_they_become_paths():
    with pytest.raises(DataError):
        parse_plan(json.dumps({"files": {"train/aa.tfrecord": MD5}}).encode())
    assert Shard("trainab.tfrecord", MD5).local == "train0001.tfrecord"
