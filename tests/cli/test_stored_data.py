"""--data as a URL: mistakes in one line, and the same products as from a folder."""

import h5py
import numpy as np
import pytest

from tests.fakes import mirror
from tests.fakes.mirror import Mirror
from tests.support.stores import NOWHERE, forget, hurry
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.verify import verify

TRAIN = ["train", "tiny", "logistic"]
pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def server(tiny_data, tmp_path, monkeypatch):
    """A web server with the tiny data set and its manifest."""
    hurry(monkeypatch)
    for path in tiny_data.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for split in ("train", "validate", "test"):
        verify(splits.find(tmp_path, split), tiny_data.dataset, NOWHERE, split=split)
    with Mirror({path.name: path.read_bytes() for path in tmp_path.iterdir()}) as server:
        yield server
    forget()


def said(capsys):
    """The only line on stderr."""
    [line] = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["status", "tiny", "--data=ftp://host/a"],
            "from gs://, s3://, https://, http://; got 'ftp://host/a'",
        ),
        (["status", "tiny", "--data=http://"], "names no bucket or server"),
        (["status", "tiny", "--data"], "--data needs a value"),
        (["status", "tiny", "--runs=http://host/a"], "--runs must be a folder or file; only --data may be"),
        (["synthesize", "http://host/a"], "--out must be a folder or file; only --data may be a URL"),
        (["convert", "http://host/a", "b"], "--source must be a folder or file"),
    ],
)
def test_a_url_in_the_wrong_place_is_misuse(capsys, words, message):
    assert main(words) == 2
    assert message in said(capsys)


def test_the_variable_is_checked_as_the_option(capsys, monkeypatch):
    monkeypatch.setenv("YT8M_DATA", "ftp://host/a")
    assert main(["status", "tiny"]) == 2
    assert "got 'ftp://host/a'" in said(capsys)


def test_a_server_without_records_is_misuse(server, capsys):
    server.files.clear()
    assert main([*TRAIN, f"--data={server.url}"]) == 2
    assert f"no train shards: no verified.json that lists any in {server.url}," in said(capsys)


def test_a_server_that_cannot_be_reached_is_a_failure(server, capsys):
    server.leave()
    assert main([*TRAIN, f"--data={server.url}"]) == 1
    assert f"{server.url}/verified.json: no connection" in said(capsys)


def test_a_bad_cache_is_misuse(server, capsys, monkeypatch):
    monkeypatch.setenv("YT8M_CACHE_GB", "much")
    assert main([*TRAIN, f"--data={server.url}"]) == 2
    assert "YT8M_CACHE_GB must be a number of gigabytes above 0; got 'much'" in said(capsys)


def test_downloading_to_a_web_server_is_misuse(server, capsys):
    assert main(["download", "--split=train", f"--data={server.url}"]) == 2
    assert "only gs:// and s3:// can be written" in said(capsys)


def arrays(path):
    """The arrays of a weights file, without their names, which count the models of a process."""
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return found


def test_training_from_a_server_gives_the_weights_of_local_training(server, tiny_data, tmp_path, capsys):
    stored, local = ([f"--data={data}", "--runs"] for data in (server.url, tiny_data.path))
    server.faults["train0001.tfrecord"] = mirror.unavailable(status=404)
    assert main([*TRAIN, *stored, str(tmp_path / "a")]) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("yt8m:")]
    assert line.startswith(f"yt8m: {server.url}/train0001.tfrecord: not found (404), although it was listed")
    server.faults.clear()
    assert main([*TRAIN, *stored, str(tmp_path / "a")]) == 0
    assert main([*TRAIN, *local, str(tmp_path / "b")]) == 0
    weights = [arrays(tmp_path / runs / "tiny/logistic/trained.weights.h5") for runs in ("a", "b")]
    assert len(weights[0]) > 1
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    capsys.readouterr()
    for data in (stored, local):
        assert main([*TRAIN, *data, str(tmp_path / "a")]) == 0
        assert "up to date: " in capsys.readouterr().err
