"""Which network makes which feature of a data set, and the features of a clip."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError
from yt8m_kit.extraction.decoding import Clip
from yt8m_kit.extraction.log_mel import patches
from yt8m_kit.extraction.requirements import INCEPTION, is_onnx
from yt8m_kit.output.digest import digest

AUDIO = "audio"  # features whose names begin so are made from sound
_BATCH = 32  # images that go through a network together
_WINDOW = 0.96  # seconds of sound that belong to a frame


class Choice(NamedTuple):
    """What to extract and how.

    image: a model of keras.applications, inception2015 or an ONNX file. image_weights: a file, None for those
    of Keras' own store. audio_weights: a checkpoint of VGGish. pca: YouTube-8M's, for inception2015. size:
    side of an image in pixels. segments: even parts of a video, None: seconds.
    """

    image: str
    image_weights: Path | None
    audio_weights: Path | None
    pca: Path | None
    size: int
    segments: int | None

    def settings(self, dataset: Dataset) -> dict[str, Any]:
        """What all splits of a data set must share, as JSON."""
        image, audio = features(dataset)
        settings: dict[str, Any] = {"features": [list(each) for each in dataset.features]}
        settings |= {"segments": self.segments, "max_frames": dataset.max_frames}
        if image:
            weights = digest(self.image_weights) if self.image_weights else "imagenet"
            if is_onnx(self.image):
                weights = digest(Path(self.image))
            settings |= {"image": Path(self.image).name, "image_weights": weights, "size": self.size}
            settings |= {"pca": digest(self.pca)} if self.pca else {}
        if audio and self.audio_weights:
            settings |= {"audio": "vggish", "audio_weights": digest(self.audio_weights)}
        return settings

    def published(self, dataset: Dataset) -> set[str | None]:
        """Features that are on YouTube-8M's scale."""
        return {features(dataset)[0]} if self.image == INCEPTION else set()

    def check(self, dataset: Dataset, copies: Path) -> None:
        """Raise UsageError for weights that are not there, and for segments that no model would see.

        copies: the folder of those that are given by URL and may not be there yet.
        """
        for name in ("image_weights", "audio_weights", "pca"):
            path = getattr(self, name)
            if path and path.parent != copies and not path.is_file():
                raise UsageError(f"--{name} must be a file; got {path}.")
        if self.image == INCEPTION and not (self.image_weights and self.pca):
            raise UsageError(
                f"--image={INCEPTION} needs --image_weights=classify_image_graph_def.pb and "
                "--pca=yt8m_pca.tgz: `yt8m download inception2015` and `yt8m download pca` fetch them."
            )
        if self.image != INCEPTION and self.pca:
            raise UsageError(f"--pca is for --image={INCEPTION}; got --image={self.image}.")
        image, audio = features(dataset)
        if audio and not self.audio_weights:
            raise UsageError(
                f"the feature {audio} needs --audio_weights=FILE: `yt8m download vggish` fetches it."
            )
        if not image:
            raise UsageError(f"{dataset.name} has no feature of images, whose times the others follow.")
        if self.segments and self.segments > dataset.max_frames:
            raise UsageError(
                f"--segments must be at most {dataset.max_frames}, the data set's max_frames; "
                f"got {self.segments}."
            )


def features(dataset: Dataset) -> tuple[str | None, str | None]:
    """The feature of images and that of sound. Raises UsageError if there are two of a kind."""
    sound = [name for name, _ in dataset.features if name.startswith(AUDIO)]
    images = [name for name, _ in dataset.features if not name.startswith(AUDIO)]
    if len(sound) > 1 or len(images) > 1:
        raise UsageError(
            f"a data set may have one feature of images and one of sound, whose name begins with {AUDIO}; "
            f"{dataset.name} has {', '.join([*images, *sound])}."
        )
    return next(iter(images), None), next(iter(sound), None)


def _image_network(choice: Choice) -> Any:
    """Load the network of images: with `size` and `width`, called with uint8 (n, height, width, 3)."""
    from yt8m_kit.extraction.networks.applications import Application
    from yt8m_kit.extraction.networks.inception import Inception
    from yt8m_kit.extraction.networks.onnx_file import OnnxFile

    if is_onnx(choice.image):
        return OnnxFile(Path(choice.image), choice.size)
    if choice.image == INCEPTION and choice.image_weights and choice.pca:
        return Inception(choice.image_weights, choice.pca)
    return Application(choice.image, choice.image_weights, choice.size)


class Extractor:
    """The networks of a choice, loaded. Raises UsageError where their widths are not the data set's."""

    def __init__(self, choice: Choice, dataset: Dataset):
        from yt8m_kit.extraction.networks.vggish import Vggish

        self._choice, self._dataset = choice, dataset
        self._image_name, self._audio_name = features(dataset)
        self._image = _image_network(choice)
        self._audio = Vggish(choice.audio_weights) if self._audio_name and choice.audio_weights else None
        widths = {self._image_name: self._image.width, self._audio_name: Vggish.width}
        for name, width in dataset.features:
            if widths[name] != width:
                raise UsageError(
                    f"the network gives {widths[name]} values for {name}, whose width in {dataset.name} is "
                    f"{width}: write {widths[name]} in the recipe's Dataset, or take another network."
                )

    def extract(self, path: Path) -> tuple[dict[str, np.ndarray], bool]:
        """Compute the features of a video, float32 (T, D) by name, and whether it lacks the sound it needs.

        Raises DataError if the file cannot be used.
        """
        clip = Clip(
            path,
            segments=self._choice.segments,
            most=self._dataset.max_frames,
            size=self._image.size,
            sound=self._audio is not None,
        )
        found = {str(self._image_name): self._images(clip)}
        if self._audio:
            found[str(self._audio_name)] = self._audio(patches(clip.samples(), self._sound_starts(clip)))
        return found, self._audio is not None and not clip.has_sound

    def _images(self, clip: Clip) -> np.ndarray:
        found, batch = [], []
        for image in clip.images():
            batch.append(image)
            if len(batch) == _BATCH:
                found.append(self._image(np.stack(batch)))
                batch = []
        if batch:
            found.append(self._image(np.stack(batch)))
        return np.concatenate(found)

    def _sound_starts(self, clip: Clip) -> list[float]:
        """Windows begin with the frames of seconds, and surround those in the middle of segments."""
        before = _WINDOW / 2 if self._choice.segments else 0.0
        return [max(0.0, start - before) for start in clip.starts]
