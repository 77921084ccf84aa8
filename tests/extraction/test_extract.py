"""From a folder of videos to shards: labels, scale, bad files, interruptions and other extractions."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.extraction.conftest import write_video
from tests.extraction.odd_files import UNUSABLE
from tests.fakes import mirror as at
from tests.fakes.mirror import Mirror
from yt8m_kit import errors
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.splits import find
from yt8m_kit.dataset import Dataset
from yt8m_kit.extraction import scale
from yt8m_kit.extraction.decoding import Clip
from yt8m_kit.extraction.networks import given_weights
from yt8m_kit.extraction.unfinished import Unfinished
from yt8m_kit.output.sealed import read_sealed
from yt8m_kit.stores.path import data_path

FILMED = Dataset("filmed", (("rgb", 576),), classes=2, max_frames=8)


@pytest.fixture
def run(films, tmp_path, weights):
    """Runs extract with a small network."""

    def extract(*options, videos=films, out="data"):
        network = ["--image=MobileNetV3Small", f"--image_weights={weights}", "--size=32"]
        places = [str(videos), str(tmp_path / out), "--recipe=filmed"]
        return main(["extract", *places, *network, "--shard_videos=2", *options])

    return extract


def written(folder, split="train"):
    """Labels and number of frames of every record, by id."""
    found = {}
    for batch in read_batches(find(folder, split), FILMED, 10):
        for row, key in enumerate(batch.ids):
            found[key] = (np.flatnonzero(batch.labels[row]).tolist(), int(batch.num_frames[row]))
    return found


def shards(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.tfrecord"))}


def test_videos_become_shards_that_verify_accepts(run, films, tmp_path, capsys):
    (films / "cat/broken.mp4").write_bytes(b"no video at all")
    assert run() == 0
    err = capsys.readouterr().err
    assert "skipped: cat/broken.mp4: cannot be opened: Invalid data" in err
    assert "1 file skipped" in err
    assert written(tmp_path / "data") == {
        f"{('cat', 'dog')[number % 2]}/{number}.avi": ([number % 2], -(-(10 + 2 * number) // 5))
        for number in range(6)
    }
    assert len(shards(tmp_path / "data/train")) >= 3
    assert main(["verify", "--split=train", "--recipe=filmed", f"--data={tmp_path / 'data'}"]) == 0
    before = shards(tmp_path / "data/train")
    assert run() == 0
    assert "up to date" in capsys.readouterr().err
    assert run("--split=validate") == 0
    assert shards(tmp_path / "data/train") == before


def test_labels_come_from_a_file(run, films, tmp_path, capsys):
    (tmp_path / "labels.csv").write_text("cat/0.avi,1\n1.avi,0;1\n2,0\nnobody,1\n")
    assert run(f"--labels={tmp_path / 'labels.csv'}") == 0
    found = {key: labels for key, (labels, _) in written(tmp_path / "data").items()}
    assert found == {"cat/0.avi": [1], "dog/1.avi": [0, 1], "cat/2.avi": [0]}
    err = capsys.readouterr().err
    assert "1 line of" in err
    assert "labels.csv has no line for 'dog/3.avi'" in err
    (tmp_path / "labels.csv").write_text("cat/0.avi,2\n")
    assert run(f"--labels={tmp_path / 'labels.csv'}", out="other") == 1
    assert "line 1: label '2' must be a number below 2" in capsys.readouterr().err


def test_bytes_lose_less_than_half_a_step():
    frames = np.random.default_rng(0).gamma(1.0, 3.0, (1000, 5)) - [0, 5, 100, 0, 1]
    fitted = scale.fit(frames)
    codes = fitted.to_bytes(frames)
    again = (codes * (4 / 255) - 2) * fitted.half_range + fitted.centre
    step = 4 / 255 * fitted.half_range
    assert (abs(again - frames) <= step / 2 * (1 + 1e-9)).all()


def test_what_differs_is_refused_by_name(run, films, tmp_path, capsys):
    assert run("--split=validate") == 2
    assert "has no scale.json: extract the train split first" in capsys.readouterr().err
    assert run() == 0
    assert run("--split=validate", "--segments=2") == 2
    assert "holds another extraction: segments was None, is now 2" in capsys.readouterr().err
    write_video(films / "cat/0.avi", np.arange(40))
    assert run() == 2
    assert "is stale: files.cat/0.avi was" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "data/train")
    assert run() == 2
    assert "scale.json was fitted to cat/0.avi, which has changed: delete" in capsys.readouterr().err


def test_weights_by_url_are_fetched_once(run, weights, tmp_path, capsys):
    assert run(out="by_file") == 0
    with Mirror({"nets/small.weights.h5": weights.read_bytes()}) as server:
        server.faults["nets/small.weights.h5"] = [at.cut(10_000), at.unavailable(status=503), None]
        url = f"--image_weights={server.url}/nets/small.weights.h5"
        assert run(url) == 0
        assert len(server.seen) == 3
        assert run(url, "--split=validate") == 0
        assert "-small.weights.h5 is the copy of http://127.0.0.1:" in capsys.readouterr().err
        assert len(server.seen) == 3
        assert shards(tmp_path / "data/train") == shards(tmp_path / "by_file/train")
        [copy] = (tmp_path / "data/weights").glob("*-small.weights.h5")
        copy.write_bytes(copy.read_bytes()[:-1])
        assert run(url, "--split=test") == 1
        assert "is damaged or was edited: its SHA-256" in capsys.readouterr().err.splitlines()[-1]
        assert run(f"--image_weights={server.url}/nets/none.h5", out="none") == 2
        assert f"no file {server.url}/nets/none.h5." in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "none").exists()


def test_what_follows_a_question_mark_in_a_url_is_not_stored(tmp_path):
    kept = given_weights.place(data_path("https://host/nets/a.weights.h5?signature=secret"), tmp_path)
    assert kept
    assert re.fullmatch(r"[0-9a-f]{8}-a\.weights\.h5", kept.name)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--image=MobileNetV3Smal"], 2, "Did you mean 'MobileNetV3Small'?"),
        (["--image=ResNet50"], 2, "ResNet50 cannot take the weights"),
        (["--image_weights=nowhere.h5"], 2, "--image_weights must be a file; got nowhere.h5."),
        (["--segments=9"], 2, "--segments must be at most 8"),
    ],
)
def test_mistakes_are_one_line(run, tmp_path, capsys, options, code, message):
    assert run(*options) == code
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "data/train").exists()


def test_a_folder_needs_videos_and_one_that_works(run, films, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(videos=tmp_path / "empty") == 2
    assert "holds no videos: looked for *.3gp" in capsys.readouterr().err
    for path in films.rglob("*.avi"):
        path.write_bytes(b"x")
    assert run() == 1
    assert "no usable video" in capsys.readouterr().err


def test_files_that_cannot_be_used_leave_the_others_as_they_are(run, films, tmp_path, capsys):
    assert run("--shard_videos=50", out="alone") == 0
    for number, spoil in enumerate(UNUSABLE):
        spoil(films / f"cat/bad{number}.mp4")
    capsys.readouterr()
    assert run("--shard_videos=50", out="beside") == 0
    err = capsys.readouterr().err
    for number, reason in enumerate(UNUSABLE.values()):
        assert re.search(rf"skipped: cat/bad{number}\.mp4: ({reason})", err)
    assert f"{len(UNUSABLE)} files skipped" in err
    assert shards(tmp_path / "alone/train") == shards(tmp_path / "beside/train")


def test_a_shard_that_is_gone_is_named(run, tmp_path, capsys):
    assert run() == 0
    (tmp_path / "data/train/train0001.tfrecord").unlink()
    assert run() == 2
    assert "data/train is stale: train0001.tfrecord is missing. Delete it" in capsys.readouterr().err


def test_a_shard_that_was_changed_or_added_is_named(run, tmp_path, capsys):
    assert run() == 0
    first = tmp_path / "data/train/train0000.tfrecord"
    content = first.read_bytes()
    first.write_bytes(content[:-1] + b"?")
    assert run() == 2
    assert "data/train is stale: train0000.tfrecord has changed. Delete it" in capsys.readouterr().err
    first.write_bytes(content)
    assert run() == 0
    (first.parent / "train0009.tfrecord").write_bytes(content)
    assert run() == 2
    assert "stale: train0009.tfrecord was not written by it" in capsys.readouterr().err


def test_a_split_is_extracted_by_one_process_at_a_time(run, tmp_path, capsys):
    with Unfinished(tmp_path / "data", "train").alone():
        assert run(out="data") == 2
    assert f"another process extracts train to {tmp_path / 'data'}" in capsys.readouterr().err
    assert not (tmp_path / "data/vocabulary.csv").exists()
    assert run(out="data") == 0
    assert not (tmp_path / "data/.train.lock").exists()


def test_single_label_videos_have_one_line_of_one_label(run, films, tmp_path, capsys):
    recipe = tmp_path / "recipes/filmed.py"
    recipe.write_text(recipe.read_text().replace("classes=2,", "classes=2, single_label=True,"))
    (tmp_path / "labels.csv").write_text("cat/0.avi,0\ncat/2.avi,0;1\n")
    assert run(f"--labels={tmp_path / 'labels.csv'}") == 1
    assert "labels.csv: line 2 must have one label for 'cat/2.avi'; got '0;1'" in capsys.readouterr().err


def test_a_killed_extraction_goes_on_to_the_same_bytes(run, films, tmp_path, weights):
    assert run(out="whole") == 0
    words = [str(films), str(tmp_path / "cut"), "--recipe=filmed", "--size=32", "--shard_videos=2"]
    network = ["--image=MobileNetV3Small", f"--image_weights={weights}"]
    command = [sys.executable, "-m", "yt8m_kit.cli", "extract", *words, *network]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], env=os.environ, stderr=subprocess.PIPE)
    first = tmp_path / "cut/.train.extracting/train0000.json"
    while not first.exists() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert first.exists() or (tmp_path / "cut/train").exists()
    assert run(out="cut") == 0
    assert shards(tmp_path / "cut/train") == shards(tmp_path / "whole/train")
    kept = [read_sealed(tmp_path / out / scale.FILE) for out in ("cut", "whole")]
    assert kept[0] == kept[1]
    assert not (tmp_path / "cut/.train.extracting").exists()


@pytest.mark.parametrize("frames", [1, 5, 1000], ids=["one video", "two", "all"])
def test_videos_that_the_scale_is_fitted_to_are_decoded_once(run, films, tmp_path, monkeypatch, frames):
    monkeypatch.setattr(scale, "FRAMES", frames)
    opened = []
    make = Clip.__init__

    def counted(self, path, **options):
        opened.append(path)
        make(self, path, **options)

    monkeypatch.setattr(Clip, "__init__", counted)
    (films / "dog/broken.mp4").write_bytes(b"no video at all")
    assert run(out="once") == 0
    assert sorted(opened) == sorted(path for path in films.rglob("*.*"))
    shutil.copytree(tmp_path / "once", tmp_path / "again")
    shutil.rmtree(tmp_path / "again/train")
    assert run(out="again") == 0  # with the scale at hand: all features are found anew
    assert shards(tmp_path / "again/train") == shards(tmp_path / "once/train")


def test_the_extra_is_named_where_it_is_missing(run, monkeypatch, capsys):
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert run() == 2
    assert (
        "av is not installed; install the extra: pip install 'yt8m-kit[extract]'" in capsys.readouterr().err
    )


def test_several_processes_make_the_same_bytes(run, films, tmp_path, capsys):
    (films / "dog/broken.mp4").write_bytes(b"no video at all")
    assert run(out="one") == 0
    assert run("--jobs=2", out="two") == 0
    assert shards(tmp_path / "one/train") == shards(tmp_path / "two/train")
    assert capsys.readouterr().err.count("skipped: dog/broken.mp4") == 2
    assert run("--jobs=2", "--image=ResNet50", out="three") == 2
    assert "ResNet50 cannot take the weights" in capsys.readouterr().err


def test_a_full_disk_ends_with_a_line_and_nothing_half_written(films, tmp_path, weights):
    """Files of this process may not grow beyond 2,000 bytes."""
    code = (
        "import resource, sys; from yt8m_kit.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); sys.exit(main(sys.argv[1:]))"
    )
    words = ["extract", str(films), str(tmp_path / "data"), "--recipe=filmed", "--size=32"]
    network = ["--image=MobileNetV3Small", f"--image_weights={weights}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words, *network],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1, done
    assert f"cannot write {tmp_path / 'data/scale.json'}: File too large" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "data").rglob("*.tfrecord"))
    assert not (tmp_path / "data/scale.json").exists()
