"""Decode a video file: the frame shown at each of some times, and the sound at 16 kHz."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from yt8m_kit.errors import DataError
from yt8m_kit.extraction.orientation import upright

RATE = 16_000  # samples a second
_SLACK = 1.0  # seconds by which a file may end before its header says
_ROUNDING = 1e-6  # seconds by which equal times may differ


class Clip:
    """A video file. images: to be read first, then samples.

    segments: frames at the middles of so many equal parts; None: a frame a second from the first one on.
    most: frames at most. size: side of the images in pixels, None: as they are. sound: whether it is decoded.
    Raises DataError if the file cannot be opened or has no video, while it is read if it is damaged, and at
    its end if it is truncated.
    """

    def __init__(self, path: Path, *, segments: int | None, most: int, size: int | None, sound: bool):
        import av

        self._path, self._segments, self._most = path, segments, most
        self.starts: list[float] = []  # of the frames, in seconds from the first one
        self._sound: list[np.ndarray] = []
        self._origin: float | None = None
        self._sound_start = self._end = 0.0
        self._side: tuple[int, int] | None = (size, size) if size else None
        try:
            self._file = av.open(str(path))
        except (OSError, ValueError, av.FFmpegError) as error:
            raise DataError(f"cannot be opened: {_reason(error)}") from None
        self._video = self._moving()
        self._audio = self._file.streams.audio[0] if sound and self._file.streams.audio else None
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        self._is_bare = bool(self._file.format.flags & av.format.Flags.no_timestamps.value)
        self._measured: float | None = None

    def _moving(self) -> Any:
        """The first stream of moving images: the cover of a sound file is none."""
        from av.stream import Disposition

        streams = self._file.streams.video
        moving = [each for each in streams if not each.disposition & Disposition.attached_pic]
        if not moving:
            self._file.close()
            raise DataError("it has no video stream")
        if moving[0].codec_context is None:
            self._file.close()
            raise DataError("this FFmpeg has no decoder for its video")
        return moving[0]

    @property
    def has_sound(self) -> bool:
        """Whether sound was asked for and is there."""
        return self._audio is not None

    def images(self) -> Iterator[np.ndarray]:
        """Yield the frame that is shown at each time, uint8 (height, width, 3), RGB, all of one size."""
        import av

        try:
            yield from self._images()
        except (OSError, ValueError, av.FFmpegError) as error:
            raise DataError(f"cannot be decoded: {_reason(error)}") from None
        finally:
            self._file.close()
        if not self.starts:
            raise DataError("it has no frames")

    def _images(self) -> Iterator[np.ndarray]:
        shown = None
        for frame, at in self._frames():
            if self._origin is None:
                self._origin = at
            while (
                shown is not None and (due := self._due()) is not None and due < at - self._origin - _ROUNDING
            ):
                yield self._taken(shown, due)
            shown = frame
        last = self._end - (self._origin or 0.0)
        while shown is not None and (due := self._due()) is not None and self._is_shown(due, last):
            yield self._taken(shown, due)

    def _is_shown(self, due: float, last: float) -> bool:
        """Whether the last frame stands for a time; it does for all segments, though only sound be left."""
        return due < last - _ROUNDING or not self.starts or self._segments is not None

    def _due(self) -> float | None:
        """Time of the next frame in seconds; None after the last one."""
        count = len(self.starts)
        if count >= (self._segments or self._most):
            return None
        return float(count) if self._segments is None else (count + 0.5) * self._duration() / self._segments

    def _taken(self, frame: Any, due: float) -> np.ndarray:
        self.starts.append(due)
        self._side = self._side or (frame.width, frame.height)
        width, height = self._side
        return upright(frame.to_ndarray(format="rgb24", width=width, height=height), frame)

    def _duration(self) -> float:
        """Seconds of the video stream, or of the file."""
        if self._stated() is None:
            if self._measured is None:
                self._measured = self._measure()
            return self._measured
        if self._video.duration is not None:
            return float(self._video.duration * (self._video.time_base or Fraction(1)))
        return self._stated_end() - self._start()

    def _stated(self) -> int | None:
        """The file's duration by its header; of a bare stream FFmpeg's is a guess by the first bit rate."""
        return None if self._is_bare else self._file.duration

    def _measure(self) -> float:
        """Seconds of the video stream by its packets, which are read but not decoded."""
        import av

        with av.open(str(self._path)) as file:
            packets = [each for each in file.demux(file.streams[self._video.index]) if each.size]
            base = packets[0].time_base if packets else Fraction(1)
            lasting = sum(each.duration or 0 for each in packets)
            times = [each.pts for each in packets if each.pts is not None]
        if self._is_bare or not times:
            return float(lasting * base)
        return float((max(times) - min(times) + (packets[-1].duration or 0)) * base)

    def _start(self) -> float:
        """Time of the first packet in seconds."""
        import av

        return float((self._file.start_time or 0) / av.time_base)

    def _stated_end(self) -> float:
        """Time of the end by the header; the duration of Matroska counts from 0, whenever the file begins."""
        import av

        counts_from_zero = self._file.format.name.startswith("matroska")
        return float((self._stated() or 0) / av.time_base) + (0.0 if counts_from_zero else self._start())

    def _frames(self) -> Iterator[tuple[Any, float]]:
        """Yield all frames up to the last one needed with their times, and keep the sound up to its end.

        A bare stream has no times but its rate; FFmpeg's guesses slip where frames are reordered.
        """
        end = 0.0
        for packet in self._file.demux():
            if packet.pts is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet.stream is self._video:
                for frame in packet.decode():
                    at = self._end if self._is_bare or frame.pts is None else float(frame.time)
                    self._end = at + self._frame_seconds(frame)
                    yield frame, at
            elif packet.stream is self._audio:
                for sound in packet.decode():
                    self._keep(sound)
            if self._is_enough():
                return
        if self._audio is not None and self._sound:
            self._keep(None)
        seconds, expected = end - self._start(), self._stated_end() - self._start()
        if seconds < expected - max(_SLACK, 0.05 * expected):
            raise DataError(f"truncated: it ends after {seconds:.1f} of {expected:.1f} seconds")

    def _frame_seconds(self, frame: Any) -> float:
        if frame.duration:
            return float(frame.duration * frame.time_base)
        rate = self._video.average_rate
        return float(1 / rate) if rate else 0.0

    def _keep(self, sound: Any) -> None:
        if sound is not None and not self._sound:
            self._sound_start = float(sound.time or 0.0)
        self._sound += [part.to_ndarray().reshape(-1) for part in self._resampler.resample(sound)]

    def _is_enough(self) -> bool:
        """Whether no frame is due, and the sound of the last second is there."""
        if self._due() is not None:
            return False
        seconds = sum(map(len, self._sound)) / RATE + self._sound_start - (self._origin or 0.0)
        return self._audio is None or seconds >= self.starts[-1] + 1

    def samples(self) -> np.ndarray:
        """The sound from the first frame on, float32 (n,) in [-1, 1); empty if there is none."""
        if not self._sound:
            return np.zeros(0, np.float32)
        samples = np.concatenate(self._sound).astype(np.float32) / 32768
        offset = round((self._sound_start - (self._origin or 0.0)) * RATE)
        return np.pad(samples, (max(offset, 0), 0))[max(-offset, 0) :]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
