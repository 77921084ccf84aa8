"""Random damage of a file's content: of bytes, and of the structure of JSON and CSV."""

import csv
import io
import json
from collections.abc import Callable
from random import Random
from typing import Any

LONGEST = 64  # bytes that are inserted or deleted


def mutated(content: bytes, suffix: str, rng: Random) -> bytes:
    """Content that differs. suffix: of JSON and CSV, half the damage is to their structure."""
    structural = {".json": _json, ".jsonl": _jsonl, ".csv": _csv}.get(suffix)
    while True:
        damage: Callable[[bytes, Random], bytes] = rng.choice(BYTES)
        if structural and rng.random() < 0.5:
            damage = structural
        changed = damage(content, rng)
        if changed != content:
            return changed


def _flip(content: bytes, rng: Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _overwrite(content: bytes, rng: Random) -> bytes:
    data, at = bytearray(content), rng.randrange(len(content))
    size = rng.choice((1, 1, 2, 4, 16, 512))
    data[at : at + size] = rng.choice((rng.randbytes(size), bytes(size), b"\xff" * size))[: len(data) - at]
    return bytes(data)


def _truncate(content: bytes, rng: Random) -> bytes:
    return content[: rng.randrange(len(content))]


def _insert(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.randint(1, LONGEST)) + content[at:]


def _delete(content: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.randint(1, LONGEST) :]


def _swap(content: bytes, rng: Random) -> bytes:
    """Two blocks change places."""
    edges = sorted(rng.randrange(len(content) + 1) for _ in range(4))
    parts = [content[a:b] for a, b in zip([0, *edges], [*edges, len(content)])]
    return b"".join(parts[place] for place in (0, 3, 2, 1, 4))


def _repeat(content: bytes, rng: Random) -> bytes:
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] + content[end:]


def _emptied(content: bytes, rng: Random) -> bytes:
    return b""


BYTES = (*(_flip, _overwrite, _truncate, _insert, _delete, _swap, _repeat) * 5, _emptied)
VALUES: tuple[Any, ...] = (
    None,
    True,
    "",
    "x",
    -1,
    0,
    7,
    1.5,
    1e308,
    10**400,
    float("nan"),
    [],
    {},
    [[[1]]],
    {"a": None},
)


def _json(content: bytes, rng: Random) -> bytes:
    """One value of another type or size, a key missing or renamed, one level more or less."""
    found = json.loads(content)
    return json.dumps(_changed(found, rng), indent=rng.choice((None, 1))).encode()


def _changed(value: Any, rng: Random) -> Any:
    places: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        places = list(range(len(value)))
    if not places or rng.random() < 0.15:
        near = [value * 2, value + 1, -value] if isinstance(value, int | float) else []
        return rng.choice([*VALUES, [value], {"value": value}, str(value), *near])
    place, copy = rng.choice(places), value.copy()
    how = rng.random()
    if how < 0.15:
        del copy[place]
    elif how < 0.25 and isinstance(copy, dict):
        copy[f"{place}x"] = copy.pop(place)
    elif how < 0.3 and isinstance(copy, dict):
        copy[rng.choice(("x", ""))] = 1
    else:
        copy[place] = _changed(value[place], rng)
    return copy


def _jsonl(content: bytes, rng: Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    how = rng.choice(("value", "drop", "repeat", "swap", "blank"))
    if how == "value":
        lines[at] = json.dumps(_changed(json.loads(lines[at]), rng)).encode() + b"\n"
    else:
        lines = _lines_changed(lines, at, how, rng)
    return b"".join(lines)


def _lines_changed(lines: list[bytes], at: int, how: str, rng: Random) -> list[bytes]:
    other = rng.randrange(len(lines))
    if how == "drop":
        return lines[:at] + lines[at + 1 :]
    if how == "repeat":
        return [*lines[:at], lines[other], *lines[at:]]
    if how == "blank":
        return [*lines[:at], b"\n", *lines[at:]]
    lines[at], lines[other] = lines[other], lines[at]
    return lines


def _csv(content: bytes, rng: Random) -> bytes:
    """A cell, a quote, a blank line, a row twice, missing or elsewhere, a column more or less."""
    how = rng.choice(("cell", "cell", "cell", "quote", "more", "less", "drop", "repeat", "swap", "blank"))
    lines = content.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    if how in ("drop", "repeat", "swap", "blank"):
        return b"".join(_lines_changed(lines, at, how, rng))
    [row] = csv.reader([lines[at].decode()])
    place = rng.randrange(len(row))
    if how == "cell":
        row[place] = rng.choice((*row, "", "x", "-1", "7", "0.5", "nan", "1e999", "9" * 30, "é\0", "a b"))
    elif how == "more":
        row.insert(place, "7")
    elif how == "less":
        del row[place]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(row)
    lines[at] = written.getvalue().encode()
    if how == "quote":
        cut = rng.randrange(len(lines[at]))
        lines[at] = lines[at][:cut] + b'"' + lines[at][cut:]
    return b"".join(lines)
