"""Tables of facts: JSON and TSV hold the values in full, text is rounded, a terminal gets what fits."""

import io
import json

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.support.terminal import lines_of
from yt8m_kit.errors import UsageError
from yt8m_kit.output.facts import Table, as_json, as_text, as_tsv, form_of
from yt8m_kit.output.terminal.fitted import show, show_blocks

ROWS = [
    {"name": name, "family": "netvlad", "parameters": 123_456_789 + 7 * at, "GAP@20": 0.87654321 / at,
     "mAP": None, "Hit@1": 0.5, "members": ["one", "two"] * 9, "note": "in words", "exported MiB": 12.3456}
    for at, name in enumerate(("frame_logistic", "日本語のモデル", "c"), 1)
]  # fmt: skip
DIGITS = {"GAP@20": 4, "exported MiB": 2}
TABLE = Table(ROWS, digits=DIGITS, first=("name", "GAP@20", "exported MiB"))


def shown(table, width, printed=show, **options):
    file = io.StringIO()
    printed(table, Console(file=file, width=width, **options))
    return lines_of(file.getvalue())


def test_json_is_the_rows():
    assert json.loads(as_json({"one": TABLE})) == ROWS
    assert json.loads(as_json({"one": TABLE, "two": Table([])})) == {"one": ROWS, "two": []}
    assert json.loads(as_json({"one": Table([{"loss": float("nan"), "all": [float("inf"), 1]}])})) == [
        {"loss": None, "all": [None, 1]}
    ]


def test_tsv_has_values_in_full_and_a_line_a_row():
    head, *lines = as_tsv(TABLE).splitlines()
    assert head.split("\t") == list(ROWS[0])
    assert [line.split("\t")[3] for line in lines] == [repr(row["GAP@20"]) for row in ROWS]
    assert as_tsv(Table([{"a": "two\nlines\tand tabs", "b": None}])) == "a\tb\ntwo lines and tabs\t\n"


def test_text_is_rounded_and_whole():
    head, first, *_ = as_text(TABLE).splitlines()
    assert first.split()[:4] == ["frame_logistic", "netvlad", "123,456,796", "0.8765"]
    assert "mAP" not in head, "empty in every row"
    assert "exported MiB" in head
    assert as_text(Table([])) == ""


def test_notes_are_below_their_row():
    table = Table([{"a": "x"}, {"a": "y"}], notes=[["because of " + "a long story " * 12], []])
    lines = as_text(table).splitlines()
    assert lines[1] == "x"
    assert lines[2].startswith("    because of a long")
    assert lines[3].startswith("        ")
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "y"


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("printed", [show, show_blocks])
def test_no_line_is_wider_than_the_terminal(printed, width):
    notes = [["because of " + "a long story " * 12], [], []]
    lines = shown(Table(ROWS, digits=DIGITS, first=TABLE.first, notes=notes), width, printed)
    assert max(map(cell_len, lines)) <= width
    assert "…" not in "".join(lines), "nothing is cut"
    assert any("frame_logistic" in line for line in lines)


def test_a_narrow_terminal_gets_the_most_important_columns_and_the_names_of_the_others():
    lines = shown(TABLE, 80)
    assert lines[0].split() == ["name", "family", "parameters", "GAP@20", "Hit@1", "exported", "MiB"]
    assert lines[1].split() == ["frame_logistic", "netvlad", "123,456,796", "0.8765", "0.5", "12.35"]
    assert lines[-1] == "not shown: members, note; a wider terminal, --tsv or --json shows all"
    assert len(lines) == 1 + len(ROWS) + 1
    assert shown(TABLE, 200)[-1].startswith("c  "), "no note where all are shown"


def test_where_fewer_than_three_columns_fit_each_row_is_a_block():
    lines = shown(TABLE, 30)
    assert lines[0] == "frame_logistic"
    assert [line.split() for line in lines[1:4]] == [
        ["family", "netvlad"], ["parameters", "123,456,796"], ["GAP@20", "0.8765"],
    ]  # fmt: skip
    assert "日本語のモデル" in lines


def test_both_forms_are_refused():
    assert [form_of(tsv=tsv, json=json) for tsv, json in ((False, False), (True, False), (False, True))] == [
        "text",
        "tsv",
        "json",
    ]
    with pytest.raises(UsageError, match="--tsv or --json; got both"):
        form_of(tsv=True, json=True)
