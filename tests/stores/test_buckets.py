"""Buckets: gcsfs and s3fs against a loopback bucket with faults, s3fs against the server of moto."""

import hashlib
import json
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import pytest

from tests.fakes import mirror, store_faults
from tests.fakes.bucket import Bucket
from tests.fakes.mirror import Mirror
from tests.support.small_shards import SMALL, copies, flip_payload
from tests.support.stores import NOWHERE, SOON, digest_of_epochs, forget, hurry, reconnect, verified_shards
from yt8m_kit.cli.main import main
from yt8m_kit.data.download.download import download, sources
from yt8m_kit.data.download.mirrors import RetryPolicy
from yt8m_kit.data.download.partition import Partition
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.reading.shards import open_shards
from yt8m_kit.data.verify import verify
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.stores.path import StorePath
from yt8m_kit.stores.request import StoreError

pytestmark = pytest.mark.long
SCHEMES = {"s3": "s3fs", "gs": "gcsfs"}


@pytest.fixture(params=SCHEMES)
def bucket(request, tmp_path, monkeypatch):
    """server: a bucket. root: its URL. local: five shards. stored: the same ones in the bucket."""
    pytest.importorskip(SCHEMES[request.param], reason="in the extra test-stores")
    hurry(monkeypatch, SOON.__class__(seconds=3, attempts=3, refusals=2, backoff=0.02, max_backoff=0.1))
    folder = tmp_path / "shards"
    folder.mkdir()
    files = {f"a/train/{name}": content for name, content in verified_shards(folder).items()}
    with Bucket(files) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        reconnect()
        root = StorePath.of(f"{request.param}://records/a")
        local, stored = splits.find(folder, "train"), splits.find(root, "train")
        server.seen.clear()
        yield SimpleNamespace(server=server, root=root, local=local, stored=stored)
    reconnect()


def test_batches_are_those_of_local_files(bucket):
    expected = digest_of_epochs(bucket.local)
    assert digest_of_epochs(bucket.stored) == digest_of_epochs(bucket.stored, readers=2) == expected


def test_counts_come_from_a_manifest_that_was_copied_with_the_shards(bucket):
    assert splits.count(bucket.stored) == 53
    assert not [name for name, _ in bucket.server.seen if name.endswith(".tfrecord")]


def test_large_shards_without_counts_are_not_copied_to_count_them(bucket, monkeypatch):
    monkeypatch.setattr(splits, "_COPIED", 9000)
    del bucket.server.files["a/train/verified.json"]
    forget()
    with pytest.raises(UsageError, match=r"5 of 5 shards in .* have no record count in .*: run `yt8m verify"):
        splits.count(splits.find(bucket.root, "train"))
    assert not [name for name, _ in bucket.server.seen if name.endswith(".tfrecord")]


def test_verification_writes_the_manifest_into_the_bucket(bucket, capsys):
    del bucket.server.files["a/train/verified.json"]
    forget()
    for unchanged in (0, 5):
        verify(splits.find(bucket.root, "train"), SMALL, NOWHERE)
        assert f"none bad; {unchanged} unchanged" in capsys.readouterr().err
        forget()
    shards = json.loads(bucket.server.files["a/train/verified.json"])["content"]["shards"]
    assert sorted(found[3] for found in shards.values()) == [1, 9, 11, 12, 20]
    with pytest.raises(UsageError, match="cannot be repaired: delete its bad shards"):
        verify(splits.find(bucket.root, "train"), SMALL, NOWHERE, repair=True)


FAULTS = {
    "503": mirror.unavailable(status=503),
    "403 once": mirror.unavailable(status=403),
    "404 once": mirror.unavailable(status=404),
    "cut": mirror.cut(after=700),
    "flipped bit": lambda handler, content: handler.serve(content[:900] + b"\xff" + content[901:]),
    "no ranges": mirror.without_ranges,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_changes_no_byte(bucket, fault):
    bucket.server.faults["a/train/train0003.tfrecord"] = [fault]
    assert digest_of_epochs(bucket.stored, epochs=1) == digest_of_epochs(bucket.local, epochs=1)
    assert not bucket.server.faults["a/train/train0003.tfrecord"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, r"access denied \(403\)"), (404, r"not found \(404\), although"), (400, "status 400")],
)
def test_a_refusal_that_lasts_is_named(bucket, status, reason):
    bucket.server.faults["a/train/train0003.tfrecord"] = mirror.unavailable(status=status)
    with pytest.raises(StoreError, match=f"train0003.tfrecord: .*{reason}"):
        open_shards(bucket.stored)


def test_an_object_that_is_replaced_is_not_mixed_with_the_old_one(bucket):
    key = "a/train/train0003.tfrecord"

    def replaced(handler, content):  # before its last byte is sent: after it the client may be done
        bucket.server.files[key] = bucket.local[0].read_bytes()
        handler.serve(content)

    bucket.server.faults[key] = [replaced]
    with pytest.raises(StoreError, match=r"train0003.tfrecord: it was replaced while it was read"):
        open_shards(bucket.stored)


def test_a_shard_that_is_damaged_in_the_bucket_is_read_as_a_local_one(bucket):
    flip_payload(bucket.local[3], 2)
    bucket.server.files["a/train/train0003.tfrecord"] = bucket.local[3].read_bytes()
    forget()
    stored, faults = splits.find(bucket.root, "train"), Faults()
    assert copies(read_batches(stored, SMALL, 7, faults=faults)) == copies(
        read_batches(bucket.local, SMALL, 7)
    )
    assert faults.summary().endswith("train0003.tfrecord record 2: data CRC mismatch")


ANOTHER_RANGE = "train0003.tfrecord: its MD5 is not the one that its bucket lists"
IN_MANIFEST = "train0003.tfrecord: its MD5 is not the one in verified.json next to it"


@pytest.mark.parametrize(("in_parts", "message"), [(False, ANOTHER_RANGE), (True, IN_MANIFEST)])
def test_copies_that_are_equal_and_wrong_are_refused(bucket, in_parts, message):
    bucket.server.in_parts = in_parts
    forget()
    bucket.server.faults["a/train/train0003.tfrecord"] = store_faults.shifted
    with pytest.raises(StoreError, match=message):
        open_shards(splits.find(bucket.root, "train"))


def test_a_damaged_object_of_unknown_md5_is_read_as_a_local_one(bucket):
    flip_payload(bucket.local[3], 2)
    bucket.server.files["a/train/train0003.tfrecord"] = bucket.local[3].read_bytes()
    bucket.server.in_parts = True
    del bucket.server.files["a/train/verified.json"]
    forget()
    faults = Faults()
    found = copies(read_batches(splits.find(bucket.root, "train"), SMALL, 7, faults=faults))
    assert found == copies(read_batches(bucket.local, SMALL, 7))
    assert faults.summary().endswith("train0003.tfrecord record 2: data CRC mismatch")


def test_no_bucket_no_records_and_no_access_are_named(bucket, monkeypatch, capsys):
    scheme = str(bucket.root).partition("://")[0]
    words = ["status", "audioset"]
    assert main([*words, f"--data={scheme}://nothing/here"]) == 2
    assert "no train shards: looked for" in capsys.readouterr().err
    bucket.server.denied = True
    forget()
    assert main([*words, f"--data={bucket.root}"]) == 1
    assert f"{bucket.root}: access denied (403)" in capsys.readouterr().err


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)  # gcsfs goes on as anyone
def test_missing_credentials_are_named(bucket, monkeypatch, tmp_path, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    reconnect()
    assert main(["status", "audioset", f"--data={bucket.root}"]) == 2
    assert "no credentials; set AWS_ACCESS_KEY_ID" in capsys.readouterr().err


@pytest.mark.parametrize("cached", [False, True])
def test_official_records_are_downloaded_into_a_bucket(bucket, tmp_path, monkeypatch, capsys, cached):
    if cached:
        monkeypatch.setenv("YT8M_CACHE", str(tmp_path / "cache"))
    names = ["trainaa.tfrecord", "trainab.tfrecord"]
    files = {f"2/frame/train/{name}": path.read_bytes() for name, path in zip(names, bucket.local)}
    sums = {name: hashlib.md5(files[f"2/frame/train/{name}"]).hexdigest() for name in names}
    files["2/download_plans/frame_train.json"] = json.dumps({"files": sums}).encode()
    partition, policy = Partition("2", "frame", "train"), RetryPolicy(backoff=0.02)
    with Mirror(files) as official:
        official.faults["2/frame/train/trainab.tfrecord"] = [None, mirror.cut(after=90)]
        for _ in range(2):
            folder = download(bucket.root, partition, sources(urls=official.url), policy=policy)
    assert str(folder) == f"{bucket.root}/2/frame/train"
    for path in bucket.local[:2]:
        assert bucket.server.files[f"a/2/frame/train/{path.name}"] == path.read_bytes()
    assert "2/frame/train: 2 files, all already present" in capsys.readouterr().err
    assert not list((tmp_path / "cache").rglob("*.tfrecord"))


@pytest.fixture
def moto(tmp_path):
    """The URL of moto's server, in a process of its own."""
    pytest.importorskip("moto", reason="in the extra test-stores")
    code = (
        "import logging, sys; logging.disable(); from moto.server import ThreadedMotoServer as S\n"
        "s = S('127.0.0.1', 0, verbose=False); s.start(); print(s.get_host_and_port()[1], flush=True)\n"
        "sys.stdin.read()"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True)
    assert server.stdout
    yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    server.communicate()


def test_a_bucket_of_moto_is_verified_and_read(moto, tmp_path, monkeypatch):
    pytest.importorskip("s3fs", reason="in the extra test-stores")
    hurry(monkeypatch, SOON.__class__())
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    reconnect()
    urllib.request.urlopen(urllib.request.Request(f"{moto}/records", method="PUT"))
    verified_shards(tmp_path)
    local, root = splits.find(tmp_path, "train"), StorePath.of("s3://records/a")
    for path in local:
        (root / f"train/{path.name}").upload(path)
    assert str(verify(splits.find(root, "train"), SMALL, NOWHERE)) == "s3://records/a/train/verified.json"
    stored = splits.find(root, "train")
    assert splits.count(stored) == 53
    assert digest_of_epochs(stored, readers=2) == digest_of_epochs(local)
    with pytest.raises(KitError, match=r"s3://records/a/train/train0009.tfrecord: not found"):
        open_shards([root / "train/train0009.tfrecord"])
    reconnect()
