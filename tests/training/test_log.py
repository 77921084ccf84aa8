"""The training log: rows after a resume, damaged lines."""

import json

import pytest

from yt8m_kit.training.log import TrainingLog, read_rows


def test_rows_after_the_resumed_step_are_dropped(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    for stage in ("checkpoints", "ema"):
        log = TrainingLog(metrics, stage, 0)
        for step in (50, 100, 150):
            log.append(step, {"loss": 1.0})
    TrainingLog(metrics, "ema", 100)
    assert [row["step"] for row in read_rows(metrics, "checkpoints")] == [50, 100, 150]
    assert read_rows(metrics, "ema") == [{"step": 50, "loss": 1.0}, {"step": 100, "loss": 1.0}]


@pytest.mark.parametrize(
    "line",
    ['{"stage": "ema", "step": 2', "[]", "7", '{"stage": "ema"}', '{"stage": "ema", "step": 2, "loss": "x"}',
     "\x00\xff", '{"stage": 1, "step": 2}'],
)  # fmt: skip
def test_damaged_line_leaves_other_rows_intact(tmp_path, line, capsys):
    """Rows of older versions, without CRCs, around a damaged line."""
    metrics = tmp_path / "metrics.jsonl"
    good = json.dumps({"stage": "ema", "step": 50, "loss": 1.0})
    metrics.write_text(f"{good}\n{line}\n{good}\n")
    assert len(read_rows(metrics, "ema")) == 2
    assert "metrics.jsonl is damaged: 1 row left out" in capsys.readouterr().err
    TrainingLog(metrics, "ema", 50)
    capsys.readouterr()
    assert read_rows(metrics, "ema") == [{"step": 50, "loss": 1.0}] * 2
    assert capsys.readouterr().err == ""


def three_rows(folder):
    log = TrainingLog(folder / "metrics.jsonl", "ema", 0)
    for step in (50, 100, 150):
        log.append(step, {"loss": step / 100})
    return folder / "metrics.jsonl", (folder / "metrics.jsonl").read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda lines: [lines[0].replace("0.5", "0.7"), *lines[1:]], [100, 150]),  # a changed number
        (lambda lines: [lines[0], lines[2]], [50]),  # a row is missing
        (lambda lines: [lines[0], *lines], [50, 100, 150]),  # a row occurs twice
    ],
)
def test_altered_rows_are_skipped_and_reported(tmp_path, change, left, capsys):
    metrics, lines = three_rows(tmp_path)
    metrics.write_text("".join(change(lines)))
    assert [row["step"] for row in read_rows(metrics, "ema")] == left
    assert "metrics.jsonl is damaged: 1 row left out" in capsys.readouterr().err


def test_truncated_last_line_is_skipped_silently(tmp_path, capsys):
    metrics, lines = three_rows(tmp_path)
    metrics.write_text("".join(lines)[:-9])
    assert [row["step"] for row in read_rows(metrics, "ema")] == [50, 100]
    assert capsys.readouterr().err == ""
    TrainingLog(metrics, "ema", 150)
    assert "it has no row of step 150" in capsys.readouterr().err
