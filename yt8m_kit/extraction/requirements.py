"""What an extraction needs, looked for before TensorFlow is imported."""

import ast
from importlib.util import find_spec
from pathlib import Path

from yt8m_kit.errors import UsageError, check_installed, did_you_mean

INCEPTION = "inception2015"


def check(image: str) -> None:
    """Raise UsageError if a package is not installed that the network needs, and for an unknown network."""
    check_installed(["av"], "extract")
    if is_onnx(image):
        check_installed(["onnxruntime"], "onnx")
        if not Path(image).is_file():
            raise UsageError(f"--image must be a file, if it ends in .onnx; got {image}, which is none.")
    elif image not in (names := [INCEPTION, *network_names()]):
        raise UsageError(
            f"--image must be a model of keras.applications, {INCEPTION} or a file FILE.onnx; got {image!r}."
            f"{did_you_mean(image, names)}"
        )


def is_onnx(image: str) -> bool:
    """Whether the name of a network is that of an ONNX file."""
    return image.endswith(".onnx")


def network_names() -> list[str]:
    """Names of the models in keras.applications, read from its source: Keras is not imported."""
    spec = find_spec("keras")
    source = Path(str(spec and spec.origin)).with_name("applications") / "__init__.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    aliases = [alias for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return sorted(name for alias in aliases if (name := alias.asname or alias.name)[0].isupper())
