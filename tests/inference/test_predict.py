"""Predictions of a split: complete, resumable, scored on the local leaderboard."""

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.evaluation import local_board
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.submission.csv_reader import HEADER, check, read

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture
def runs(tiny_runs, tmp_path):
    shutil.copytree(tiny_runs, tmp_path / "runs")
    return tmp_path / "runs"


def test_predict_and_submit_locally(runs, tiny_data, capsys):
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    assert main(["export", "tiny", "blend", f"--runs={runs}"]) == 0
    assert main(["predict", "tiny", "blend", *places]) == 0
    csv = runs / "tiny/blend/submission.csv"
    assert capsys.readouterr().out.splitlines()[-1] == str(csv)
    ids, labels, confidences = read(csv, tiny_data.dataset.classes)
    truth = local_board.read_truth(tiny_data.path / "test_truth.csv", tiny_data.dataset.classes)
    assert sorted(ids) == sorted(truth)
    assert main(["submit", "tiny", "blend", *places]) == 0
    board = json.loads((runs / "tiny/blend/score.json").read_text())
    dense, dense_truth = np.zeros((2, len(ids), tiny_data.dataset.classes), np.float32)
    for i, video in enumerate(ids):
        dense[i, labels[i]] = confidences[i]
        dense_truth[i, sorted(truth[video])] = 1
    assert board["all"] == pytest.approx(gap_at_20(dense, dense_truth), abs=1e-6)
    public = np.array([local_board.is_public(video) for video in ids])
    assert board["public"] == pytest.approx(gap_at_20(dense[public], dense_truth[public]), abs=1e-3)
    before = csv.stat().st_mtime_ns
    assert main(["predict", "tiny", "blend", *places]) == 0
    assert csv.stat().st_mtime_ns == before


SLOW = """
import sys, time
from yt8m_kit.inference import predict, shard_rows
predict.BATCH, shard_rows.SAVE_BATCHES = 4, 1
text = shard_rows.text
def slow(*arguments):
    time.sleep(0.2)
    return text(*arguments)
shard_rows.text = slow
from yt8m_kit.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_killed_and_resumed_gives_the_same_file(runs, tiny_data):
    """A slowed-down process is killed between two saved positions, then run again."""
    words = ["predict", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={runs}"]
    assert main(["export", "tiny", "logistic", f"--runs={runs}"]) == 0
    assert main(words) == 0
    csv = runs / "tiny/logistic/submission.csv"
    whole = csv.read_bytes()
    csv.unlink()
    process = subprocess.Popen([sys.executable, "-c", SLOW, *words], stderr=subprocess.DEVNULL)
    folder = csv.with_name("submission.shards")
    place = folder / "test0000.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        place.exists() and json.loads(place.read_text())["content"]["rows"] >= 12
    ):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not csv.exists()
    with (folder / "test0000.csv").open("a") as file:
        file.write("half a li")
    assert main(words) == 0
    assert sorted(csv.read_bytes().splitlines()) == sorted(whole.splitlines())
    assert csv.read_bytes() == whole
    assert not folder.exists()


def test_damaged_graph_is_an_error_with_advice(runs, tiny_data, capsys):
    assert main(["export", "tiny", "logistic", f"--runs={runs}"]) == 0
    (runs / "tiny/logistic/graph/saved_model.pb").write_bytes(b"\x00\x01")
    assert main(["predict", "tiny", "logistic", f"--data={tiny_data.path}", f"--runs={runs}"]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert (
        "logistic/graph is damaged: graph differs from its record. Run: yt8m export tiny logistic --anew"
        in message
    )


def test_local_board_refuses_other_videos_and_malformed_truth(tmp_path):
    labels, confidences = np.zeros((1, 1), np.int32), np.ones((1, 1), np.float32)
    with pytest.raises(KitError, match=r"1 of the truth are missing, 1 are unknown, e.g. 'b'"):
        local_board.score(["a"], labels, confidences, {"b": {0}})
    with pytest.raises(UsageError, match="needs the labels"):
        local_board.read_truth(tmp_path / "none.csv", 10)
    path = tmp_path / "truth.csv"
    path.write_text("VideoId,Labels\na,3 x\n")
    with pytest.raises(KitError, match="whole numbers"):
        local_board.read_truth(path, 10)
    path.write_text("VideoId,Labels\na,3 10\n")
    with pytest.raises(KitError, match="between 0 and 9"):
        local_board.read_truth(path, 10)


def test_empty_submission_is_an_error(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text(HEADER + "\n")
    with pytest.raises(KitError, match="has 0 rows; the split has 3 videos"):
        check(path, 50, 3)


def test_public_half_is_about_half_and_deterministic():
    public = [local_board.is_public(f"v{i:05d}") for i in range(4000)]
    assert 0.47 < np.mean(public) < 0.53
    assert local_board.is_public("abcd") == local_board.is_public("abcd")
