"""Folder of the tests' recipes, and a copy with a change."""

from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[1] / "recipes"


def change_a_rate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Change the learning rate of tiny's member logistic, in a folder of recipes of its own; return tiny."""
    changed = folder / "recipes"
    changed.mkdir()
    text = (RECIPES / "tiny.py").read_text(encoding="utf-8")
    text = text.replace("steps=20, learning_rate=1e-2", "steps=20, learning_rate=3e-2")
    (changed / "tiny.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("YT8M_RECIPES", str(changed))
    return "tiny"
