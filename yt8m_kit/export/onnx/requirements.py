"""What an export to ONNX needs, looked for before TensorFlow is imported."""

from collections.abc import Iterable

from yt8m_kit.errors import UsageError, check_installed
from yt8m_kit.recipe import Recipe

PACKAGES = ("onnx", "tf2onnx")
LOOPING = ("gru", "lstm")  # families with a loop over frames, which tf2onnx does not convert


def check(recipe: Recipe, members: Iterable[str]) -> None:
    """Raise UsageError if a package is not installed, or for members of families that cannot be converted."""
    check_installed(PACKAGES, "onnx")
    if looping := [name for name in members if recipe.member(name).family in LOOPING]:
        raise UsageError(
            f"--format=onnx has no loops over frames, as of {', '.join(LOOPING)}; got {', '.join(looping)}. "
            "Export an ensemble without them, or take --format=graph or litert."
        )
