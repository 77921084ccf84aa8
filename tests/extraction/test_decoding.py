"""Frames by second and by segment, sound, and files that are not whole."""

import numpy as np
import pytest

from tests.extraction.conftest import write_video
from yt8m_kit.errors import DataError
from yt8m_kit.extraction.decoding import RATE, Clip

GREY = np.arange(40, 240, 10)  # 20 frames, 4 s


def decoded(path, **options):
    clip = Clip(path, **{"segments": None, "most": 300, "size": 32, "sound": True} | options)
    images = list(clip.images())
    return clip, [float(image.mean()) for image in images]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 5, 10, 15]),  # at 0, 1, 2 and 3 s of 5 frames a second
        ({"most": 2}, [0, 5]),
        ({"segments": 2}, [5, 15]),  # in the middle of 0 to 2 s and of 2 to 4 s
        ({"segments": 5}, [2, 6, 10, 14, 18]),
    ],
)
def test_frames_are_those_shown_at_their_times(tmp_path, options, expected):
    write_video(tmp_path / "a.avi", GREY)
    clip, found = decoded(tmp_path / "a.avi", **options)
    np.testing.assert_allclose(found, GREY[expected], atol=4)  # MPEG-4 is lossy; frames are 10 apart
    assert len(clip.starts) == len(expected)


def test_sound_is_resampled_from_the_first_frame_on(tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE) * 0.5
    write_video(tmp_path / "a.avi", GREY, sound=tone)
    clip, _ = decoded(tmp_path / "a.avi")
    np.testing.assert_allclose(clip.samples(), tone, atol=1e-3)
    assert not len(decoded(tmp_path / "a.avi", sound=False)[0].samples())


def test_files_that_cannot_be_used_say_why(tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    with pytest.raises(DataError, match="cannot be opened: Invalid data"):
        decoded(tmp_path / "text.avi")
    write_video(tmp_path / "whole.mkv", np.random.default_rng(0).integers(0, 256, 60))
    content = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "half.mkv").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"truncated|cannot be"):
        decoded(tmp_path / "half.mkv")
