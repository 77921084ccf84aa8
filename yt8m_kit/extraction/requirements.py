"""What an extraction needs, looked for before TensorFlow is imported."""

import ast
from importlib.util import find_spec
from pathlib import Path

from yt8m_kit.errors import UsageError, did_you_mean


def check(image: str) -> None:
    """Raise UsageError if PyAV is not installed, or there is no network of that name."""
    if find_spec("av") is None:
        raise UsageError(
            "av is not installed; install the extra: pip install 'yt8m-kit[extract]' "
            "(in a checkout: make install EXTRA=extract)"
        )
    if image not in (names := network_names()):
        close = did_you_mean(image, names)
        raise UsageError(f"--image must be a model of keras.applications; got {image!r}.{close}")


def network_names() -> list[str]:
    """Names of the models in keras.applications, read from its source: Keras is not imported."""
    spec = find_spec("keras")
    source = Path(str(spec and spec.origin)).with_name("applications") / "__init__.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    aliases = [alias for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return sorted(name for alias in aliases if (name := alias.asname or alias.name)[0].isupper())
