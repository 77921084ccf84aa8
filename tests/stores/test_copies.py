"""Copies of objects: faults are retried or named, and no copy is wrong."""

import hashlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import mirror
from tests.fakes.store_faults import FAULTS
from tests.support.small_shards import damage
from tests.support.stores import SOON, digest_of_epochs, hurry
from yt8m_kit.data.reading.shards import has_intact_records, open_shards
from yt8m_kit.errors import KitError
from yt8m_kit.stores import copies, request, transfer
from yt8m_kit.stores.request import CancelledError, StoreError

NAME = "train0003.tfrecord"


def contents(paths):
    """The bytes of opened shards."""
    found = []
    for file in open_shards(paths):
        found.append(os.pread(file, 1 << 20, 0))
        os.close(file)
    return found


def open_memory_files():
    """Number of copies in memory that this process has open."""
    targets = [os.path.realpath(path) for path in Path("/proc/self/fd").iterdir()]
    return sum("memfd" in target for target in targets)


def test_copies_are_the_files(web):
    assert contents(web.stored) == [path.read_bytes() for path in web.local]


@pytest.mark.parametrize("piece", [8 << 20, 500], ids=["whole", "pieces"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_changes_no_byte(web, monkeypatch, fault, piece):
    monkeypatch.setattr(transfer, "PIECE", piece)
    web.server.faults[NAME] = [None, fault] if piece == 500 else [fault]
    assert contents(web.stored) == [path.read_bytes() for path in web.local]
    assert len(web.server.asked(NAME)) >= (1 if fault is FAULTS["no ranges"] else 2)


LASTING = {
    "403": (mirror.unavailable(status=403), "access denied (403) (2 attempts)"),
    "404": (mirror.unavailable(status=404), "not found (404), although it was listed"),
    "500": (mirror.unavailable(status=500), "status 500 (6 attempts)"),
    "400": (mirror.unavailable(status=400), "status 400 (2 attempts)"),
    "cut": (mirror.cut(after=700), "connection lost (6 attempts)"),
    "truncated": (mirror.instead(bytes(1263)), "truncated: 1,263 of 1,963 bytes"),
    "too slow": (mirror.trickle, "too slow or no answer (2 attempts)"),
    "flipped bit": (FAULTS["a flipped bit"], "its MD5 is not the one in verified.json next to it"),
}


@pytest.mark.parametrize(("fault", "reason"), LASTING.values(), ids=LASTING)
def test_a_fault_that_lasts_is_named(web, monkeypatch, fault, reason):
    web.server.faults[NAME] = fault
    if "2 attempts" in reason and "slow" in reason:
        hurry(monkeypatch, replace(SOON, attempts=2))
    before = open_memory_files()
    with pytest.raises(StoreError) as raised:
        open_shards(web.stored)
    assert str(raised.value).startswith(f"{web.stored[3]}: ")
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert open_memory_files() == before


def test_a_copy_that_changes_each_time_is_refused(web):
    versions = iter(range(256))
    web.server.faults[NAME] = lambda handler, content: handler.serve(bytes([next(versions)]) + content[1:])
    with pytest.raises(StoreError, match="its copies differ; the connection or the store damages them"):
        open_shards(web.stored)


def test_after_a_cut_only_the_rest_is_requested(web, monkeypatch):
    monkeypatch.setattr(transfer, "PIECE", 500)
    web.server.faults[NAME] = [None, None, mirror.cut(after=100)]
    contents(web.stored)
    assert web.server.asked(NAME) == [
        f"bytes={start}-{min(start + 500, 1963) - 1}" for start in (0, 500, 1000, 1000, 1500)
    ]


def test_a_damaged_shard_of_the_manifest_is_read_as_a_local_one(web):
    """The manifest lists it with its MD5: it is as it was published."""
    damaged = web.local[3].parent / NAME
    damage(damaged, 900)
    expected = digest_of_epochs(web.local)
    web.server.files[NAME] = damaged.read_bytes()
    known = hashlib.md5(damaged.read_bytes()).hexdigest()
    web.stored[3] = replace(web.stored[3], entry=web.stored[3].entry._replace(md5=known))
    assert digest_of_epochs(web.stored) == expected


def test_shards_are_copied_side_by_side(web):
    web.server.faults["*"] = mirror.late(0.3)
    began = time.monotonic()
    contents(web.stored)
    assert time.monotonic() - began < 1.2  # five in turn take 1.5 s


def test_cancelling_ends_copies_and_waits(web, monkeypatch):
    hurry(monkeypatch, request.RetryPolicy())
    web.server.faults["*"] = mirror.silence
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        copies.open_copies(web.stored, has_intact_records, cancelled)
    assert time.monotonic() - began < 2


def test_memory_that_does_not_suffice_is_an_error_with_a_remedy(web, monkeypatch):
    monkeypatch.setattr(copies, "_free_memory", lambda: 1000)
    with pytest.raises(KitError, match=r"5 shards of http.* have 0.00 GB, 0.00 GB of memory .* YT8M_CACHE"):
        open_shards(web.stored)
    assert web.server.seen == []
