"""JSON files with a checksum: damage and manual edits are detected on reading."""

import hashlib
import json
from pathlib import Path
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output.files import write_text
from yt8m_kit.stores.path import DataPath

ADVICE = "Delete it, or make its product again with --anew."


def write_sealed(path: Path, value: Any) -> None:
    """Write a JSON value atomically, with the SHA-256 of its text."""
    write_text(path, json.dumps(sealed(value), indent=1) + "\n")


def sealed(value: Any) -> dict[str, Any]:
    """Return a JSON value with the SHA-256 of its text."""
    body = json.dumps(value)
    return {"sha256": _seal(body), "content": json.loads(body)}


def read_sealed(path: DataPath) -> Any:
    """Read the value of a sealed file. Raises KitError if it is unreadable or its checksum differs."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["sha256"] != _seal(json.dumps(kept["content"])):
            raise ValueError("its checksum does not match")
        return kept["content"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise KitError(f"{path} is damaged: {error}. {ADVICE}") from None


def _seal(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
