"""Paths of object stores: parsing, parts, order, globbing a web server's manifests."""

import base64
import json
import sys

import pytest

from tests.fakes import mirror
from tests.support import stores
from yt8m_kit.data.loader import splits
from yt8m_kit.errors import UsageError
from yt8m_kit.stores.path import StorePath, data_path
from yt8m_kit.stores.request import StoreError


def test_a_url_is_a_path():
    path = StorePath.of("http://host:80/a//b/train0001.tfrecord/")
    assert str(path) == "http://host:80/a/b/train0001.tfrecord"
    assert (path.name, path.stem) == ("train0001.tfrecord", "train0001")
    assert str(path.parent / "x/y") == "http://host:80/a/b/x/y"
    assert [str(each) for each in path.parents] == [
        "http://host:80/a/b",
        "http://host:80/a",
        "http://host:80",
    ]
    assert str(path.relative_to(StorePath.of("http://host:80/a"))) == "b/train0001.tfrecord"


def test_paths_are_ordered_as_folders_are(tmp_path):
    names = ["a/train0001", "a-b/train0000", "a/train0000", "a.b/x"]
    stored = sorted(StorePath.of(f"http://host/{name}") for name in names)
    local = sorted(tmp_path / name for name in names)
    assert [str(path)[12:] for path in stored] == [str(path.relative_to(tmp_path)) for path in local]


def test_a_folder_stays_a_folder(tmp_path):
    assert data_path(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("url", ["ftp://host/a", "file:///a", "gcs://bucket", "HTTP://host"])
def test_other_schemes_are_refused(url):
    with pytest.raises(UsageError, match=f"from gs://, s3://, https://, http://; got '{url}'"):
        data_path(url)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match=r"put them into ~/\.netrc") as raised:
        data_path("https://me:swordfish@host/a")
    assert "swordfish" not in str(raised.value)


def test_passwords_are_those_of_netrc(tmp_path, monkeypatch):
    stores.hurry(monkeypatch)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password swordfish\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    given = []

    def noting(handler, content):
        given.append(handler.headers["Authorization"])
        handler.serve(content)

    with mirror.Mirror({"a": b"1"}) as server:
        server.faults["a"] = noting
        assert (StorePath.of(server.url) / "a").read_bytes() == b"1"
    assert given == [f"Basic {base64.b64encode(b'me:swordfish').decode()}"]


def test_a_url_without_a_server_is_refused():
    with pytest.raises(UsageError, match="'http://' names no bucket or server, as in http://NAME/FOLDER"):
        data_path("http://")


@pytest.mark.parametrize(("url", "module", "extra"), [("gs://b", "gcsfs", "gcs"), ("s3://b", "s3fs", "s3")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, url, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=rf"needs {module}; run: pip install -e '.\[{extra}\]'"):
        data_path(url)


@pytest.mark.parametrize("layout", ["", "train/", "2/frame/train/", "3/frame/train/"])
def test_a_manifest_lists_the_shards_of_its_folder(web, layout):
    web.server.files = {f"{layout}{name}": content for name, content in web.server.files.items()}
    stores.forget()
    found = splits.find(StorePath.of(web.server.url), "train")
    assert [str(path) for path in found] == [f"{web.server.url}/{layout}{p.name}" for p in web.local]
    assert splits.count(found) == 53


def test_a_manifest_is_read_once(web):
    for _ in range(3):
        splits.count(splits.find(StorePath.of(web.server.url), "train"))
    assert len(web.server.asked("verified.json")) <= 1


def test_without_a_manifest_the_remedy_is_named(web):
    del web.server.files["verified.json"]
    stores.forget()
    with pytest.raises(UsageError, match=r"no train shards: no verified.json that lists any.*`yt8m verify`"):
        splits.find(StorePath.of(web.server.url), "train")


@pytest.mark.parametrize("status", [403, 404])
def test_servers_may_deny_what_is_missing(web, status):
    """Some servers answer 403 for a file that does not exist."""
    web.server.files = {f"train/{name}": content for name, content in web.server.files.items()}
    web.server.faults["verified.json"] = mirror.unavailable(status=status)
    stores.forget()
    assert len(splits.find(StorePath.of(web.server.url), "train")) == 5


@pytest.mark.parametrize("text", [b"<html>", b"{}", b'{"content": {"shards": {"a": 3}}}', b"[" * 100_000])
def test_a_file_that_is_no_manifest_is_named(web, text):
    web.server.files["verified.json"] = text
    stores.forget()
    with pytest.raises(StoreError, match=r"http.*/verified.json is not a list of shards, as `yt8m verify`"):
        splits.find(StorePath.of(web.server.url), "train")


def test_a_server_that_fails_is_not_an_empty_one(web):
    web.server.faults["verified.json"] = mirror.unavailable(status=500)
    stores.forget()
    with pytest.raises(StoreError, match=r"http.*/verified.json: status 500"):
        splits.find(StorePath.of(web.server.url), "train")


def test_an_edited_manifest_is_refused(web):
    """It could lack a shard."""
    content = json.loads(web.server.files["verified.json"])
    del content["content"]["shards"]["train0000.tfrecord"]
    web.server.files["verified.json"] = json.dumps(content).encode()
    stores.forget()
    with pytest.raises(StoreError, match=r"http.*/verified.json is damaged or was edited"):
        splits.find(StorePath.of(web.server.url), "train")


def test_a_small_file_next_to_the_records_is_read(web):
    web.server.files["vocabulary.csv"] = "Index,Name\n0,Ä\n".encode()
    path = StorePath.of(web.server.url) / "vocabulary.csv"
    assert path.exists()
    with path.open(newline="") as file:
        assert list(file) == ["Index,Name\n", "0,Ä\n"]
    assert not (path.parent / "other.csv").exists()


def test_a_web_server_is_not_written_to(web):
    with pytest.raises(UsageError, match="only gs:// and s3:// can be written"):
        (StorePath.of(web.server.url) / "a").write_bytes(b"")
