"""Video files of plain frames in many formats, and files that cannot be used."""

import av
import numpy as np

from yt8m_kit.extraction.decoding import RATE

GREY = np.arange(40, 240, 10)  # 20 frames, 4 s at 5 a second


def write(
    path,
    images,
    *,
    codec="libx264",
    pix_fmt="yuv420p",
    base=None,
    times=None,
    turn=None,
    container=None,
    rate=5,
    options=None,
):
    """Frames (T, H, W, 3), `rate` a second or at `times` in units of `base`; turn: degrees, mirrored.

    options: of the container.
    """
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        video = file.add_stream(codec, rate=rate)
        video.height, video.width = images.shape[1:3]
        video.pix_fmt = pix_fmt
        if turn:
            video.set_display_rotation(*turn)
        if base:
            video.time_base = video.codec_context.time_base = base
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], base
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


def grey(values=GREY):
    """Plain frames of these values."""
    return np.broadcast_to(np.array(values, np.uint8)[:, None, None, None], (len(values), 32, 64, 3)).copy()


def _without_index(path):
    """An MP4 whose index, at its end, is gone."""
    content = write(path, grey()).read_bytes()
    path.write_bytes(content[: content.rindex(b"moov") - 4])


def _without_table(path):
    """An MP4 whose table of chunk offsets is overwritten."""
    content = bytearray(write(path, grey()).read_bytes())
    at = content.rindex(b"stco") + 8
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)


def _half(path):
    """The first half of a Matroska file of 6 seconds."""
    content = write(path, grey(np.tile(GREY, 2)[:30]), codec="ffv1", container="matroska").read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _text(path):
    path.write_text("no video at all\n" * 100)


def _empty(path):
    path.write_bytes(b"")


def _only_sound(path):
    with av.open(str(path), "w") as file:
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.ones((1, 2 * RATE), np.int16), format="s16", layout="mono")
        sound.sample_rate = RATE
        file.mux(audio.encode(sound))
        file.mux(audio.encode(None))


def _header_alone(path):
    with av.open(str(path), "w", format="matroska") as file:
        video = file.add_stream("ffv1", rate=5)
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        file.start_encoding()


UNUSABLE = {
    _without_index: "cannot be opened: Invalid data",
    _without_table: "cannot be|truncated|no frames",
    _half: r"truncated: it ends after \d+\.\d of 6\.0 seconds",
    _text: "cannot be opened: Invalid data",
    _empty: "cannot be opened: Invalid data",
    _only_sound: "it has no video stream",
    _header_alone: "it has no frames|cannot be opened",
}
