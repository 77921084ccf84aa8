"""The local leaderboard: malformed labels are an error that gives the line, never scored."""

import numpy as np
import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.evaluation.local_board import is_public, read_truth, score


def truth(folder, *lines):
    path = folder / "test_truth.csv"
    path.write_text("\n".join(["VideoId,Labels", *lines]) + "\n")
    return path


def test_labels_by_video(tmp_path):
    assert read_truth(truth(tmp_path, "a,3 1", "NA,", "b,9"), 10) == {"a": {1, 3}, "NA": set(), "b": {9}}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,1", "b,2", "a,1"], "line 4: video 'a' occurs a second time"),
        (["a,", "b,"], "has no labels, so that GAP@20 is not defined"),
        ([], "has no labels"),
        (["a,1", "b,10"], "line 3: labels must lie between 0 and 9; got 10"),
        (["a,1", "b,-1"], "line 3: labels must lie between 0 and 9; got -1"),
        (["a,1", "b,one"], "line 3: labels must be whole numbers separated by spaces"),
        (["a,1", ",2"], "line 3: must hold an id and labels; got ',2'"),
        (["a,1", "b,2,3"], "line 3: must hold an id and labels; got 'b,2,3'"),
        (["a,1", "", "b,2"], "line 3: must hold an id and labels"),
    ],
)
def test_malformed_labels_are_an_error_with_the_line(tmp_path, lines, message):
    path = truth(tmp_path, *lines)
    with pytest.raises(KitError) as caught:
        read_truth(path, 10)
    assert f"{path}" in str(caught.value)
    assert message in str(caught.value)


def test_a_single_label_data_set_has_one_label_a_video(tmp_path):
    path = truth(tmp_path, "a,3", "b,", "c,1 2")
    assert read_truth(path, 10)["c"] == {1, 2}
    with pytest.raises(KitError, match="line 4: video 'c' must have one label; got 2"):
        read_truth(path, 10, single_label=True)


def test_the_board_has_the_errors_of_single_labels():
    ids = [f"video{number}" for number in range(40)]
    labels = np.tile(np.arange(20, dtype=np.int32), (40, 1))
    confidences = np.tile(np.linspace(1, 0, 20, dtype=np.float32), (40, 1))
    known = {video: {[0, 4, 5, 19][number % 4]} for number, video in enumerate(ids)}
    board = score(ids, labels, confidences, known, single_label=True)
    assert (board["top1_all"], board["top5_all"], board["mean_error_all"]) == (0.25, 0.5, 0.625)
    half = [label for video in ids if is_public(video) for label in known[video]]
    assert board["top1_public"] == pytest.approx(half.count(0) / len(half))
    assert "top1_all" not in score(ids, labels, confidences, known)
