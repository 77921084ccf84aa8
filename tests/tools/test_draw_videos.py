"""The clips that `make videos-demo` draws."""

import numpy as np

from tools import draw_videos
from yt8m_kit.extraction.decoding import Clip


def test_clips_of_every_kind_in_three_splits_and_the_same_each_time(tmp_path):
    for name in "ab":
        draw_videos.draw(tmp_path / name, clips=40)
    clips = sorted(path.relative_to(tmp_path / "a") for path in tmp_path.glob("a/**/*.mp4"))
    train, validate, test = (
        [path for path in clips if path.parts[0] == split] for split in ("train", "validate", "test")
    )
    assert [len(train), len(validate), len(test)] == [24, 8, 9]
    assert {path.parts[1] for path in train} == {path.parts[1] for path in validate} == {*draw_videos.KINDS}
    for path in clips:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_a_clip_has_its_tone_for_four_seconds(tmp_path):
    kind = draw_videos.KINDS["ring"]
    rng = np.random.default_rng(3)
    draw_videos.write(
        tmp_path / "ring.mp4", draw_videos.images(kind, rng, 96, 10), draw_videos.sound(kind, rng), 10
    )
    clip = Clip(tmp_path / "ring.mp4", segments=4, most=4, size=96, sound=True)
    assert np.stack(list(clip.images())).shape == (4, 96, 96, 3)
    samples = clip.samples()
    assert abs(len(samples) / 16_000 - 4) < 0.1  # AAC works in blocks of 1024 samples
    loudest = np.argmax(abs(np.fft.rfft(samples))) * 16_000 / len(samples)
    assert 440 * 2 ** (-1 / 12) - 1 < loudest < 440 * 2 ** (1 / 12) + 1
