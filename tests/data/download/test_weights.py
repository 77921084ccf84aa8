"""Published weights: resumed, checked and kept; of an archive only the graph."""

import gzip
import hashlib
import io
import tarfile

import pytest

from tests.fakes import mirror as at
from tests.fakes.mirror import Mirror
from yt8m_kit.cli.main import main
from yt8m_kit.data.download import weights

CHECKPOINT = bytes(range(256)) * 4000
VGGISH = "audioset/vggish_model.ckpt"
INCEPTION = "download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz"
GRAPH = b"\n\x10DecodeJpeg ... pool_3/_reshape" + bytes(5000)


def archive(**files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


WHOLE = archive(**{"../outside.txt": b"x", "classify_image_graph_def.pb": GRAPH, "LICENSE": b"x"})


@pytest.fixture
def known(monkeypatch):
    """The MD5 of the checkpoint of these tests in place of the published one's."""
    md5 = hashlib.md5(CHECKPOINT, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(weights, "VGGISH", weights.VGGISH._replace(md5=md5))


def test_a_cut_checkpoint_is_resumed_and_a_present_one_kept(tmp_path, known, capsys):
    with Mirror({VGGISH: CHECKPOINT}) as server:
        server.faults[VGGISH] = [at.cut(300_000), None]
        words = ["download", "vggish", f"--urls={server.url}", f"--data={tmp_path}"]
        assert main(words) == 0
        assert server.asked(VGGISH) == [None, "bytes=300000-"]
        assert main(words) == 0
        assert len(server.seen) == 2
    assert capsys.readouterr().out.split()[-1] == f"{tmp_path}/vggish_model.ckpt"
    assert [path.name for path in tmp_path.iterdir()] == ["vggish_model.ckpt"]
    assert (tmp_path / "vggish_model.ckpt").read_bytes() == CHECKPOINT


def test_a_checkpoint_with_another_md5_is_refused(tmp_path, capsys):
    with Mirror({VGGISH: CHECKPOINT}) as server:
        assert main(["download", "vggish", f"--urls={server.url}", f"--data={tmp_path}"]) == 1
    err = capsys.readouterr().err
    assert f"{server.url}: MD5 is not d1c7011e6366aa34176bb05c705e31a8" in err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_only_the_graph_of_the_archive_is_written(tmp_path):
    data = tmp_path / "data"
    with Mirror({INCEPTION: WHOLE}) as server:
        words = ["download", "inception2015", f"--urls={server.url}", f"--data={data}"]
        assert [main(words), main(words)] == [0, 0]
        assert len(server.seen) == 1
    assert (data / "classify_image_graph_def.pb").read_bytes() == GRAPH
    names = ["classify_image_graph_def.pb", "classify_image_graph_def.pb.sha256"]
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>moved</html>", "not an archive, or a damaged one: it begins with b'<html>"),
        (WHOLE[:-40], "not an archive, or a damaged one"),
        (WHOLE[:-8] + bytes(8), "not an archive, or a damaged one"),
        (gzip.compress(b"no tar"), "not an archive, or a damaged one"),
        (archive(LICENSE=b"x"), "the archive has no classify_image_graph_def.pb"),
        (archive(**{"classify_image_graph_def.pb": b"x"}), "with DecodeJpeg and pool_3/_reshape"),
        (archive(**{"../classify_image_graph_def.pb": GRAPH}), "the archive has no classify_image"),
    ],
    ids=["a page", "cut", "wrong CRC", "no tar", "no graph", "another graph", "a path"],
)
def test_other_archives_are_refused(tmp_path, content, said, capsys):
    with Mirror({INCEPTION: content}) as server:
        assert main(["download", "inception2015", f"--urls={server.url}", f"--data={tmp_path}"]) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["classify_image_graph_def.pb.sha256"], "has no DecodeJpeg and pool_3/_reshape. Delete it and"),
        ([], "is damaged or was edited: its SHA-256 is not the one in classify_image_graph_def.pb.sha256"),
    ],
    ids=["another file", "damaged"],
)
def test_a_present_file_is_looked_at(tmp_path, names, said, capsys):
    with Mirror({INCEPTION: WHOLE}) as server:
        words = ["download", "inception2015", f"--urls={server.url}", f"--data={tmp_path}"]
        assert main(words) == 0
        (tmp_path / "classify_image_graph_def.pb").write_bytes(b"another")
        for name in names:
            (tmp_path / name).unlink()
        assert main(words) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / "classify_image_graph_def.pb").read_bytes() == b"another"


def test_a_store_is_no_place_for_a_checkpoint(capsys):
    pytest.importorskip("gcsfs", reason="in the extra test-stores")
    assert main(["download", "vggish", "--data=gs://bucket/data"]) == 2
    assert "--data must be a local folder for vggish" in capsys.readouterr().err
