"""Real files as cameras, players and accidents leave them: the right frames, or a reason."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.extraction.odd_files import GREY, UNUSABLE, grey, write
from yt8m_kit.errors import DataError
from yt8m_kit.extraction.decoding import RATE, Clip

UNEVEN = [0, 1, 2, 30, 31, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 80, 90, 100, 119]  # of 1001 / 30000 s


def decoded(path, **options):
    clip = Clip(path, **{"segments": None, "most": 300, "size": 16, "sound": True} | options)
    return clip, list(clip.images())


def assert_shows(path, expected, **options):
    """The frames at the clip's times have these numbers."""
    clip, images = decoded(path, **options)
    np.testing.assert_allclose([image.mean() for image in images], GREY[list(expected)], atol=3)
    assert len(clip.starts) == len(expected)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "libx265"), ("a.mkv", "ffv1")])
def test_ten_bits_a_value_become_eight(tmp_path, name, codec):
    write(tmp_path / name, grey(), codec=codec, pix_fmt="yuv420p10le")
    assert_shows(tmp_path / name, [0, 5, 10, 15])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_frames_at_uneven_times_are_taken_at_their_own(tmp_path, name):
    write(tmp_path / name, grey(), base=Fraction(1001, 30000), times=UNEVEN)
    seconds = np.array(UNEVEN) * 1001 / 30000
    shown = [int(np.flatnonzero(seconds <= due)[-1]) for due in range(5)]
    assert shown == [0, 2, 4, 16, 19]
    assert_shows(tmp_path / name, shown)


def test_a_fine_time_base_with_jitter_loses_no_frame(tmp_path):
    times = [18_000 * number + 7 * (number % 2) for number in range(20)]
    write(tmp_path / "a.mp4", grey(), base=Fraction(1, 90_000), times=times)
    assert_shows(tmp_path / "a.mp4", [0, 4, 10, 14, 19])  # 5 and 15 come 7/90,000 s late, as the end
    assert_shows(tmp_path / "a.mp4", [4, 14], segments=2)


def test_a_late_start_counts_from_the_first_frame(tmp_path):
    write(tmp_path / "a.ts", grey())
    assert_shows(tmp_path / "a.ts", [0, 5, 10, 15])
    write(tmp_path / "b.mkv", grey(), base=Fraction(1, 5), times=range(500, 520))
    assert_shows(tmp_path / "b.mkv", [0, 5, 10, 15])


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("h264", "libx264", 5),
        ("hevc", "libx265", 5),
        ("mpeg1video", "mpeg1video", 25),
        ("mpeg2video", "mpeg2video", 25),
        ("mjpeg", "mjpeg", 25),  # as FFmpeg takes it: the stream has none
        ("matroska", "libx264", 5),
    ],
)
def test_a_file_without_a_stated_duration_is_measured(tmp_path, container, codec, rate):
    """Bare streams, whose duration FFmpeg does not know or guesses by a bit rate; a live recording."""
    values = np.repeat(GREY, rate // 5)
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    live = {"live": "1"} if container == "matroska" else {}
    write(
        tmp_path / "a.mp4",
        grey(values),
        codec=codec,
        container=container,
        rate=rate,
        pix_fmt=pixels,
        options=live,
    )
    assert_shows(tmp_path / "a.mp4", [0, 5, 10, 15])
    assert_shows(tmp_path / "a.mp4", [5, 15], segments=2)


def test_a_slide_lasts_as_long_as_its_file_says(tmp_path):
    write(tmp_path / "a.mkv", grey(GREY[:3]), base=Fraction(1, 1), times=[0, 2, 4])
    clip, images = decoded(tmp_path / "a.mkv")
    assert clip.starts[:5] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([image.mean() for image in images[:5]], GREY[[0, 0, 1, 1, 2]], atol=3)


@pytest.mark.parametrize("mirrored", [(), (True, False), (False, True)])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90, 100])
def test_frames_stand_as_players_show_them(tmp_path, degrees, mirrored):
    coded = np.zeros((32, 64, 3), np.uint8)
    coded[:16, :32], coded[:16, 32:], coded[16:, :32] = 230, (230, 0, 0), (0, 230, 0)
    write(tmp_path / "a.mp4", np.stack([coded] * 5), pix_fmt="yuv444p", turn=(degrees, *mirrored))
    expected = np.rot90(coded, round(degrees / 90))
    for is_mirrored, axis in zip(mirrored, (1, 0)):
        expected = np.flip(expected, axis) if is_mirrored else expected
    _, (image,) = decoded(tmp_path / "a.mp4", size=None)
    assert image.shape == expected.shape
    middles = (slice(4, -4), slice(4, -4))
    assert np.mean(abs(image.astype(int) - expected)[middles]) < 6
    _, (square,) = decoded(tmp_path / "a.mp4", size=16)
    assert (
        np.mean(abs(square.astype(int) - expected[:: len(expected) // 16, :: expected.shape[1] // 16])) < 20
    )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_one_frame_is_a_clip_of_one(tmp_path, name):
    write(tmp_path / name, grey([100]), codec="mpeg4")
    for options, count in (({}, 1), ({"segments": 3}, 3)):
        _, images = decoded(tmp_path / name, **options)
        np.testing.assert_allclose([image.mean() for image in images], [100] * count, atol=3)


def test_segments_go_on_where_only_sound_is_left(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        video = file.add_stream("libx264", rate=5)
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for image in grey():
            file.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(video.encode(None))
        sound = av.AudioFrame.from_ndarray(np.ones((1, 8 * RATE), np.int16), format="s16", layout="mono")
        sound.sample_rate = RATE
        file.mux(audio.encode(sound))
        file.mux(audio.encode(None))
    assert_shows(tmp_path / "a.mkv", [5, 15, 19, 19], segments=4)


def test_a_video_that_changes_its_size_keeps_the_first(tmp_path):
    write(tmp_path / "a.ts", grey(GREY[:5]), codec="mpeg2video")
    write(tmp_path / "b.ts", np.repeat(np.repeat(grey(GREY[5:10]), 2, 1), 2, 2), codec="mpeg2video")
    joined = (tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes()
    (tmp_path / "c.ts").write_bytes(joined)
    _, images = decoded(tmp_path / "c.ts", size=None)
    assert {image.shape for image in images} == {(32, 64, 3)}


def test_a_video_beyond_the_limit_ends_there(tmp_path):
    write(tmp_path / "a.mp4", grey(np.tile(GREY, 5)))  # 20 s
    assert_shows(tmp_path / "a.mp4", [0, 5, 10, 15, 0, 5, 10], most=7)


def test_an_index_that_is_damaged_is_not_needed(tmp_path):
    write(tmp_path / "a.mkv", grey(), codec="ffv1")
    content = (tmp_path / "a.mkv").read_bytes()
    cues = content.rindex(bytes.fromhex("1c53bb6b"))
    (tmp_path / "b.mkv").write_bytes(content[:cues] + b"\xff" * 40 + content[cues + 40 :])
    assert_shows(tmp_path / "b.mkv", [0, 5, 10, 15])
    (tmp_path / "c.mkv").write_bytes(content[:cues])
    assert_shows(tmp_path / "c.mkv", [0, 5, 10, 15])


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__)
def test_files_without_usable_frames_say_why(tmp_path, spoil):
    spoil(tmp_path / "a.mp4")
    with pytest.raises(DataError, match=UNUSABLE[spoil]):
        decoded(tmp_path / "a.mp4")
