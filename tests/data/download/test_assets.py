"""Label names and the PCA archive: downloaded, checked and kept."""

import io
import tarfile

import pytest

from tests.fakes import mirror as at
from tests.fakes.mirror import Mirror
from yt8m_kit.cli.main import main
from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import DataError, UsageError

LABELS = "youtube8m/csv/2/vocabulary.csv"
TEXT = b'Index,TrainVideoCount,KnowledgeGraphId,Name\n0,788288,/m/03bt1gh,Game\n1,539945,/m/1,"Video, game"\n'
NAMES = {0: "Game", 1: "Video, game"}
ERROR = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"


def archive(*names):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return file.getvalue()


PCA = archive("mean.npy", "eigenvals.npy", "eigenvecs.npy")


def test_both_are_fetched_once(tmp_path, capsys):
    with Mirror({LABELS: TEXT, "yt8m_pca.tgz": PCA}) as server:
        places = [f"--urls={server.url}", f"--data={tmp_path}"]
        for _ in range(2):
            assert main(["download", "vocabulary", *places]) == 0
            assert main(["download", "pca", *places]) == 0
        assert len(server.seen) == 2
    assert capsys.readouterr().out.split()[-2:] == [f"{tmp_path}/vocabulary.csv", f"{tmp_path}/yt8m_pca.tgz"]
    assert vocabulary.read(tmp_path / vocabulary.FILE) == NAMES
    assert (tmp_path / "yt8m_pca.tgz").read_bytes() == PCA


def test_version_3_has_its_own_label_names(tmp_path):
    with Mirror({"youtube8m/csv/segments/vocabulary.csv": TEXT}) as server:
        words = ["download", "vocabulary", "--version=3", f"--urls={server.url}", f"--data={tmp_path}"]
        assert main(words) == 0


@pytest.mark.parametrize("what", ["vocabulary", "pca"])
def test_a_wrong_file_is_discarded_and_requested_from_the_next_server(tmp_path, what, capsys):
    with Mirror({}) as one, Mirror({LABELS: TEXT, "yt8m_pca.tgz": PCA}) as two:
        one.faults["*"] = at.instead(ERROR)
        assert main(["download", what, f"--urls={one.url}", f"--data={tmp_path}"]) == 1
        assert f"{one.url}: not " in capsys.readouterr().err
        assert not list(tmp_path.iterdir())
        assert main(["download", what, f"--urls={one.url},{two.url}", f"--data={tmp_path}"]) == 0


def test_an_archive_without_the_matrices_is_refused(tmp_path, capsys):
    with Mirror({"yt8m_pca.tgz": archive("mean.npy")}) as server:
        assert main(["download", "pca", f"--urls={server.url}", f"--data={tmp_path}"]) == 1
    assert "the archive lacks eigenvals.npy, eigenvecs.npy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (TEXT, NAMES),
        (b"\xef\xbb\xbf" + TEXT, NAMES),
        (b"index,mid,display_name\r\n3,/m/x,Speech\r\n7,/m/y,Dog\r\n", {3: "Speech", 7: "Dog"}),
        (b"cat\ndog\n\n", {0: "cat", 1: "dog"}),
    ],
    ids=["YouTube-8M", "byte order mark", "AudioSet", "a list"],
)
def test_label_names_are_read(text, names):
    assert vocabulary.parse(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"Label\ncat\ndog\n", {0: "cat", 1: "dog"}),
        (b"display_name\ncat\ndog\n", {0: "cat", 1: "dog"}),
        (b"label\ndog\n", {0: "label", 1: "dog"}),
        (b"cat\ndog\nowl\n", {0: "cat", 1: "dog", 2: "owl"}),
    ],
    ids=["a heading", "another heading", "a class of that name", "no heading"],
)
def test_a_heading_above_a_list_does_not_shift_the_classes(text, names):
    assert vocabulary.parse(text, classes=2) == names


@pytest.mark.parametrize("classes", [1, 4, None])
def test_a_first_line_that_may_be_a_heading_is_asked_about(classes):
    with pytest.raises(DataError, match="line 1 is 'Name': a heading, or the name of class 0"):
        vocabulary.parse(b"Name\ncat\ndog\n", classes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe\x00", "it begins with"),
        (ERROR, "columns must include Index and Name"),
        (b"a,b\n1,2\n", "columns must include Index and Name; line 1 is 'a,b'"),
        (b"Index,Name\nx,Game\n", "line 2 must begin with a new class number; got 'x,Game'"),
        (b"Index,Name\n0,Game\n0,Car\n", "line 3 must begin with a new class number; got '0,Car'"),
        (b"Index,Name\n0\n", "line 2 must begin with a new class number; got '0'"),
    ],
)
def test_other_text_is_refused_as_label_names(text, said):
    with pytest.raises(DataError, match=r"line|not a vocabulary") as refusal:
        vocabulary.parse(text)
    assert said in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*vocabulary\.csv with the names of classes"):
        vocabulary.read(tmp_path / "vocabulary.csv")
