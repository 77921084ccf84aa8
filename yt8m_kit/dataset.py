"""What a data set looks like: feature names and widths, classes, frames, and how bytes stand for floats."""

from dataclasses import dataclass
from typing import Any

from yt8m_kit.errors import UsageError
from yt8m_kit.fields import Count, Share, checked

# Written as round((x + 2) * 255 / 4); read back with the official half-step offset.
DEQUANTIZE_SCALE = 4 / 255
DEQUANTIZE_OFFSET = 4 / 512 - 2


@checked
@dataclass(frozen=True)
class Dataset:
    """Frame-level records: for each video, one byte vector per feature and frame.

    features: (name in the record, width in bytes), in the order in which they are laid side by side.
    classes: number of labels. max_frames: frames beyond it are dropped, shorter videos are padded.
    id_keys: context keys that may hold the video's id, first match wins.
    competition: its name on Kaggle, None where there is none.
    max_skipped: largest share of bad records, which are skipped; above it, reading stops with an error.
    label_keys: context keys that hold the labels, looked for before `labels`.
    single_label: exactly one class is true of a video: probabilities are a softmax over the classes, the loss
    is their cross-entropy, and top-1 and top-5 errors are computed.
    Raises UsageError for a wrong value.
    """

    name: str
    features: tuple[tuple[str, Count], ...]
    classes: Count
    max_frames: Count = 300
    id_keys: tuple[str, ...] = ("id", "video_id")
    competition: str | None = None
    max_skipped: Share = 0.05
    label_keys: tuple[str, ...] = ()
    single_label: bool = False

    def __post_init__(self) -> None:
        names = [name for name, _ in self.features]
        if not names or len(set(names)) < len(names):
            raise UsageError(f"features must have one or more different names; got {self.features}.")
        if not self.id_keys:
            raise UsageError('id_keys must name one or more keys, such as ("id",); got ().')

    @property
    def width(self) -> int:
        """Bytes of one frame, all features side by side."""
        return sum(width for _, width in self.features)

    @property
    def about_labels(self) -> dict[str, Any]:
        """label_keys and single_label, for records of sources; without defaults, as in older records."""
        found: dict[str, Any] = {"label_keys": [*self.label_keys]} if self.label_keys else {}
        return found | ({"single_label": True} if self.single_label else {})


YOUTUBE8M_2018 = Dataset(
    "youtube8m-2018", (("rgb", 1024), ("audio", 128)), classes=3862, competition="youtube8m-2018"
)
AUDIOSET = Dataset("audioset", (("audio_embedding", 128),), classes=527, max_frames=10)


DEMO = Dataset("demo", (("rgb", 1024), ("audio", 128)), classes=50, max_frames=32)
