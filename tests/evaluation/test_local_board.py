"""The local leaderboard: malformed labels are an error that gives the line, never scored."""

import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.evaluation.local_board import read_truth


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
