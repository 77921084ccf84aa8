"""Text is read and written in UTF-8 by name: nothing depends on the locale."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "yt8m_kit"
BYTES = {("os", "open"), ("tarfile", "open"), ("av", "open")}  # none opens text
METHODS = {"read_text", "write_text"}


def called(call: ast.Call) -> tuple[str, str]:
    """Owner and name: of f() ("", f), of x.f() (x, f), of x.y.f() (".", f)."""
    if isinstance(call.func, ast.Attribute):
        return getattr(call.func.value, "id", "."), call.func.attr
    return "", getattr(call.func, "id", "")


def needs_encoding(call: ast.Call) -> bool:
    owner, name = called(call)
    if name in METHODS:
        return owner != ""
    modes = [node.value for each in call.args for node in ast.walk(each) if isinstance(node, ast.Constant)]
    is_binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
    return name in ("open", "fdopen") and (owner, name) not in BYTES and not is_binary


def faults(text: str) -> Iterator[int]:
    """Lines that read or write text in the locale's encoding."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            words = {keyword.arg for keyword in node.keywords}
            if (needs_encoding(node) and "encoding" not in words) or words & {"text", "universal_newlines"}:
                yield node.lineno


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_text_has_an_encoding(path):
    assert not list(faults(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("line", "is_fault"),
    [
        ("path.read_text()", True),
        ("(folder / 'x').write_text('a')", True),
        ("open(path)", True),
        ("path.open('w')", True),
        ("os.fdopen(3, 'w')", True),
        ("subprocess.run(words, text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("path.open('rb+' if size else 'wb')", False),
        ("os.open(path, os.O_RDONLY)", False),
        ("write_text(path, 'a')", False),
    ],
)
def test_what_is_a_fault(line, is_fault):
    assert bool(list(faults(line))) == is_fault
