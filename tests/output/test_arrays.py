"""Damage of .npz files that the CRCs of a zip archive do not cover: its entries' names and order."""

import struct
import zipfile

import numpy as np
import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.output.arrays import read_arrays, read_header, write_arrays

ADVICE = "Make it again."


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "state.npz"
    write_arrays(path, {f"model/{i}": np.arange(i + 2, dtype=np.float32) for i in range(3)}, {"step": 7})
    return path


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, changed):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in changed:
            archive.writestr(name, content)


def read(path):
    return list(read_arrays(path, ADVICE, indexed=True))


def test_arrays_come_back_in_their_order(path):
    assert read_header(path, ADVICE)["step"] == 7
    assert [name for name, _ in read(path)] == ["model/0", "model/1", "model/2"]
    assert [len(array) for _, array in read(path)] == [2, 3, 4]


@pytest.mark.parametrize("kind", ["missing", "renamed", "swapped", "another's content", "another type"])
def test_entries_that_the_header_does_not_list_are_refused(path, kind):
    kept = list(entries(path).items())
    header, (first, content), (second, other), last = kept
    if kind == "missing":
        rewrite(path, [header, (first, content), last])
    elif kind == "renamed":
        rewrite(path, [header, (first, content), ("model/9.npy", other), last])
    elif kind == "swapped":
        rewrite(path, [header, (second, other), (first, content), last])
    elif kind == "another's content":
        rewrite(path, [header, (first, other), (second, other), last])
    else:
        rewrite(path, [header, (first, content.replace(b"<f4", b"<i4")), (second, other), last])
    with pytest.raises(KitError, match=rf"state\.npz is damaged: .*\. {ADVICE}"):
        read(path)


@pytest.mark.parametrize(
    "value", [99, 8]  # an unknown method; deflate, though the entry is stored
)  # fmt: skip
def test_another_compression_method_is_refused(path, value):
    """NotImplementedError of zipfile, zlib.error."""
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 10 : directory + 12] = struct.pack("<H", value)
    local = content.index(b"PK\x03\x04")
    content[local + 8 : local + 10] = struct.pack("<H", value)
    path.write_bytes(content)
    with pytest.raises(KitError, match=r"state\.npz is damaged"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04K\x01."])
def test_another_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(KitError, match=r"state\.npz is damaged"):
        read(path)
