"""TFRecord framing: against TensorFlow, and with damaged shards."""

import gzip
import os

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.data.format import tfrecord
from yt8m_kit.errors import DataError

PAYLOADS = [b"first", b"", bytes(range(256)) * 40]
HEADER, FOOTER = 12, 4


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "train0000.tfrecord"
    with tfrecord.writing(path) as write:
        for payload in PAYLOADS:
            write(payload)
    return path


def payloads(path):
    index = tfrecord.index(path)
    data = path.read_bytes()
    return [data[offset : offset + length] for offset, length in zip(index.offsets, index.lengths)]


def fault_of(path):
    fault = tfrecord.index(path).fault
    assert fault is not None
    return fault


def damage(path, at, value):
    data = bytearray(path.read_bytes())
    data[at] ^= value
    path.write_bytes(data)


def test_crc_matches_the_published_one():
    # RFC 3720, B.4: the CRC-32C of 32 zero bytes is 0x8A9136AA; masked as in TensorFlow's crc32c.h.
    crc = 0x8A9136AA
    masked = (((crc >> 15) | (crc << 17)) % 2**32 + 0xA282EAD8) % 2**32
    assert tfrecord.masked_crc(bytes(32)) == masked
    assert tfrecord.masked_crc(np.zeros(32, np.uint8)) == masked


def test_tensorflow_reads_our_shards(shard):
    assert [record.numpy() for record in tf.data.TFRecordDataset(str(shard))] == PAYLOADS


def test_shards_of_tensorflow_are_read(tmp_path):
    path = tmp_path / "x.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    assert payloads(path) == PAYLOADS
    assert tfrecord.index(path).fault is None


def test_bytes_equal_those_of_tensorflow(shard, tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as writer:
        for payload in PAYLOADS:
            writer.write(payload)
    assert shard.read_bytes() == (tmp_path / "x.tfrecord").read_bytes()


def test_offsets_and_lengths(shard):
    index = tfrecord.index(shard)
    assert index.lengths.tolist() == [len(payload) for payload in PAYLOADS]
    framing = HEADER + FOOTER
    assert index.offsets.tolist() == [HEADER, HEADER + 5 + framing, HEADER + 5 + 2 * framing]


def test_empty_shard(tmp_path):
    path = tmp_path / "empty.tfrecord"
    path.touch()
    index = tfrecord.index(path)
    assert len(index.offsets) == 0
    assert str(index.fault) == f"{path}: empty shard (0 bytes)"
    assert fault_of(path).record is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"VideoId,Labels\nabcd,1 2\n", "not a TFRecord file"),
        (b"short", "not a TFRecord file"),
        (gzip.compress(b"anything"), "gzip: decompress it first"),
    ],
    ids=["text", "shorter than a header", "gzip"],
)
def test_other_files_are_refused(tmp_path, content, said):
    path = tmp_path / "odd.tfrecord"
    path.write_bytes(content)
    index = tfrecord.index(path)
    assert len(index.offsets) == 0
    assert said in str(index.fault)
    assert str(path) in str(index.fault)


def test_truncated_payload_names_record_and_bytes(shard):
    size = os.path.getsize(shard)
    os.truncate(shard, size - 100)
    fault = fault_of(shard)
    needed = HEADER + len(PAYLOADS[2]) + FOOTER
    assert fault.record == 2
    assert f"{shard} record 2: truncated: needs {needed} bytes, the file has {needed - 100} left" == str(
        fault
    )
    assert payloads(shard) == PAYLOADS[:2]


def test_truncated_header(shard):
    os.truncate(shard, HEADER + 5 + FOOTER + 7)
    fault = fault_of(shard)
    assert fault.record == 1
    assert "ends within a record header" in str(fault)


def test_a_wrong_length_crc_ends_the_index(shard):
    damage(shard, HEADER + 5 + FOOTER, 1)  # the length of record 1
    fault = fault_of(shard)
    assert fault.record == 1
    assert "length CRC mismatch; the rest of the shard cannot be read" in str(fault)
    assert payloads(shard) == PAYLOADS[:1]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.tfrecord: cannot be read: No such file"):
        tfrecord.index(tmp_path / "nowhere.tfrecord")


def test_a_failed_write_keeps_the_old_shard(shard):
    before = shard.read_bytes()
    with pytest.raises(TypeError), tfrecord.writing(shard) as write:
        write("no bytes")  # type: ignore[arg-type]
    assert shard.read_bytes() == before
    assert list(shard.parent.iterdir()) == [shard]


def test_a_shard_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "train0000.tfrecord"
    with tfrecord.writing(path) as write:
        write(b"record")
        assert list(tmp_path.glob("*.tfrecord")) == []
    assert payloads(path) == [b"record"]
