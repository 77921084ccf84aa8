"""Files are whole or absent; a run holds its settings and lets one process in at a time."""

import subprocess
import sys
import textwrap

import pytest

from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.files import replacing, replacing_folder, write_json, write_text
from yt8m_kit.recipe import Member, Range
from yt8m_kit.run import Run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_failed_folder_leaves_the_old_one(tmp_path):
    path = tmp_path / "graph"
    with replacing_folder(path) as temporary:
        (temporary / "a").write_text("old")
    with pytest.raises(RuntimeError), replacing_folder(path) as temporary:  # noqa: PT012
        (temporary / "b").write_text("half")
        raise RuntimeError
    assert names(path) == ["a"]
    with replacing_folder(path) as temporary:
        (temporary / "c").write_text("new")
    assert names(path) == ["c"]
    assert names(tmp_path) == ["graph"]


def test_a_full_disk_is_one_line_and_costs_nothing(tmp_path):
    """A real process that may write no file beyond 64 kB: the old file stays, the message names it."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from yt8m_kit.output.files import write_text
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        write_text(Path(sys.argv[1]), "x" * 100_000)
    """
    path = tmp_path / "file.txt"
    write_text(path, "old")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path], capture_output=True, text=True
    )
    assert f"cannot write {path}: File too large" in done.stderr.splitlines()[-1]
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_changed_member_is_refused_by_the_name_of_the_setting(tmp_path):
    run = Run.of(tmp_path, "recipe", "member")
    member = Member("netvlad", {"clusters": 8}, steps=10, average=Range(1, 2))
    run.freeze(member.frozen())
    run.freeze(member.frozen())
    with pytest.raises(UsageError, match=r"learning_rate was 0.0002, is now 0.1"):
        run.freeze(
            Member("netvlad", {"clusters": 8}, steps=10, average=Range(1, 2), learning_rate=0.1).frozen()
        )


def test_two_processes_cannot_share_a_run(tmp_path):
    run = Run.of(tmp_path, "recipe", "member")
    script = (
        "import sys; from pathlib import Path; from yt8m_kit.run import Run\n"
        "with Run(Path(sys.argv[1])).alone(): pass"
    )
    with run.alone():
        done = subprocess.run([sys.executable, "-c", script, run.path], capture_output=True, text=True)
    assert "another process is at work" in done.stderr.splitlines()[-1]
    with run.alone():
        pass


def test_metrics_are_cut_back_to_the_step_that_is_resumed(tmp_path):
    run = Run(tmp_path)
    for stage in ("checkpoints", "ema"):
        for step in (50, 100, 150):
            run.log({"stage": stage, "step": step, "loss": 1.0})
    with run.metrics.open("a") as lines:
        lines.write('{"stage": "ema", "step": 2')
    run.forget_after("ema", 100)
    assert [row["step"] for row in run.rows("checkpoints")] == [50, 100, 150]
    assert run.rows("ema") == [{"step": 50, "loss": 1.0}, {"step": 100, "loss": 1.0}]
    assert run.metrics.read_text().count("\n") == 5


def test_a_damaged_json_file_is_named(tmp_path):
    run = Run(tmp_path)
    write_json(run.ensemble, {})
    run.ensemble.write_text("{")
    with pytest.raises(KitError, match=r"cannot read .*ensemble.json"):
        Run.read(run.ensemble)


def test_a_missing_stage_is_named(tmp_path):
    run = Run.of(tmp_path, "demo", "netvlad")
    with pytest.raises(UsageError, match="run: yt8m train demo netvlad"):
        run.need(run.trained, "train")
