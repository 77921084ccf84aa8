"""The cache folder: copies are reused, evicted, resumed, checked, and shared by processes."""

import os
import subprocess
import sys
import time

import pytest

from tests.fakes import mirror
from tests.support.small_shards import damage
from tests.support.stores import digest_of_epochs
from yt8m_kit.data.reading.shards import open_shards
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.stores import cache, transfer
from yt8m_kit.stores.request import StoreError


@pytest.fixture
def folder(web, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("YT8M_CACHE", str(folder))
    return folder


def limit(monkeypatch, size):
    monkeypatch.setenv("YT8M_CACHE_GB", str(size / 1e9))


def kept(folder):
    """Names of the shards of which there are copies, sorted."""
    return sorted(path.name.split("-", 2)[2] for path in folder.glob("*.tfrecord"))


def close(files):
    for file in files:
        os.close(file)


def test_a_second_run_requests_nothing(web, folder):
    expected = digest_of_epochs(web.local)
    assert digest_of_epochs(web.stored) == expected
    assert len(web.server.seen) == 5
    assert kept(folder) == [path.name for path in web.local]
    assert digest_of_epochs(web.stored, readers=2) == expected
    assert len(web.server.seen) == 5


def test_the_least_recently_used_copies_make_room(web, folder, monkeypatch):
    sizes = [path.stat().st_size for path in web.local]
    limit(monkeypatch, sizes[0] + sizes[2] + sizes[3])
    for number in (0, 1, 2, 0, 3):
        close(open_shards([web.stored[number]]))
        time.sleep(0.01)
    assert kept(folder) == [web.local[number].name for number in (0, 2, 3)]


def test_copies_in_use_are_not_removed(web, folder, monkeypatch):
    limit(monkeypatch, sum(path.stat().st_size for path in web.local) - 1)
    used = open_shards(web.stored[:4])
    with pytest.raises(KitError, match=r"no room for http.*train0004.*YT8M_CACHE_GB allows .* Raise it"):
        open_shards(web.stored[4:])
    assert len(kept(folder)) == 4
    close(used)
    close(open_shards(web.stored[4:]))
    assert "train0004.tfrecord" in kept(folder)


def test_an_epoch_that_does_not_fit_is_read_all_the_same(web, folder, monkeypatch):
    sizes = sorted(path.stat().st_size for path in web.local)
    limit(monkeypatch, sum(sizes[1:]))  # two groups of two shards
    assert digest_of_epochs(web.stored) == digest_of_epochs(web.local)
    assert sum(path.stat().st_size for path in folder.glob("*.tfrecord")) <= sum(sizes[1:])


@pytest.mark.parametrize("harm", [lambda path: damage(path, 900), lambda path: os.truncate(path, 100)])
def test_a_damaged_copy_is_made_again(web, folder, harm):
    close(open_shards(web.stored))
    [copy] = folder.glob("*train0003*")
    harm(copy)
    assert digest_of_epochs(web.stored) == digest_of_epochs(web.local)
    assert len(web.server.asked("train0003.tfrecord")) == 2


def test_an_interrupted_copy_is_resumed(web, folder, monkeypatch):
    monkeypatch.setattr(transfer, "PIECE", 500)
    web.server.faults["train0003.tfrecord"] = [None, None, *[mirror.unavailable(status=400)] * 2]
    with pytest.raises(StoreError):
        open_shards([web.stored[3]])
    web.server.seen.clear()
    close(open_shards([web.stored[3]]))
    assert web.server.asked("train0003.tfrecord")[0] == "bytes=1000-1499"
    assert digest_of_epochs(web.stored) == digest_of_epochs(web.local)


def test_the_rest_of_a_killed_process_is_evicted(web, folder, monkeypatch):
    folder.mkdir()
    (folder / f"0123456789abcdef-{10**6}-train0009.tfrecord.part").write_bytes(b"x")
    limit(monkeypatch, 10**6)
    close(open_shards(web.stored))
    assert not list(folder.glob("*.part"))
    assert len(kept(folder)) == 5


OPEN = """
import os, sys
from yt8m_kit.data.loader import splits
from yt8m_kit.data.reading.shards import open_shards
from yt8m_kit.stores.path import StorePath
print(sum(os.fstat(file).st_size for file in open_shards(splits.find(StorePath.of(sys.argv[1]), "train"))))
"""


def test_processes_share_the_copies_that_they_make(web, folder):
    web.server.faults["*"] = mirror.late(0.2)
    command = [sys.executable, "-c", OPEN, web.server.url]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    total = sum(path.stat().st_size for path in web.local)
    assert [int(process.communicate(timeout=60)[0]) for process in processes] == [total] * 3
    assert [len(web.server.asked(path.name)) for path in web.local] == [1] * 5


@pytest.mark.parametrize("size", ["0", "-1", "many", "nan", "inf"])
def test_a_bad_limit_is_misuse(monkeypatch, size):
    monkeypatch.setenv("YT8M_CACHE_GB", size)
    with pytest.raises(UsageError, match=f"a number of gigabytes above 0; got '{size}'"):
        cache.from_environment()


def test_a_file_in_place_of_the_folder_is_misuse(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("YT8M_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="YT8M_CACHE must be a folder"):
        cache.from_environment()


def test_a_folder_that_cannot_be_written_is_named(web, monkeypatch):
    monkeypatch.setenv("YT8M_CACHE", "/proc/cache")
    with pytest.raises(KitError, match=r"cannot write in YT8M_CACHE=/proc/cache: .*lower YT8M_CACHE_GB"):
        open_shards(web.stored)
