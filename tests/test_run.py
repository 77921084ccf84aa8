"""Atomic file writes; a run is locked by one process at a time."""

import subprocess
import sys
import textwrap

import pytest

from yt8m_kit import recipe
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.files import replacing, replacing_folder, write_json, write_text
from yt8m_kit.run import Experiment, Run


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


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path):
    """A process limited to files of 1 MiB: the old file is kept, the message names it."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        from yt8m_kit.output.files import write_text
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        write_text(Path(sys.argv[1]), "x" * 2**21)
    """
    path = tmp_path / "file.txt"
    write_text(path, "old")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path], capture_output=True, encoding="utf-8"
    )
    assert f"cannot write {path}: File too large" in done.stderr.splitlines()[-1]
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_processes_that_write_one_file_at_a_time_leave_one_whole_file(tmp_path):
    """The temporary file of one that was killed is there at the start."""
    path = tmp_path / "shared.json"
    (tmp_path / ".shared.json.partial").write_text("killed" * 10_000)
    script = """
        import sys
        from pathlib import Path
        from yt8m_kit.output.files import write_shared
        for _ in range(200):
            write_shared(Path(sys.argv[1]), sys.argv[2].encode() * 1000)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), path]
    writers = [subprocess.Popen([*command, letter]) for letter in "abcd"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_text())
    assert [writer.returncode for writer in writers] == [0] * 4
    assert seen <= {letter * 1000 for letter in "abcd"}
    assert names(tmp_path) == ["shared.json"]


def test_two_processes_cannot_share_a_run(tmp_path):
    run = Run.of(tmp_path, "recipe", "member")
    script = (
        "import sys; from pathlib import Path; from yt8m_kit.run import Run\n"
        "with Run(Path(sys.argv[1])).alone(): pass"
    )
    with run.alone(("train", "recipe", "member")):
        assert run.holder().startswith("train recipe member, process ")
        done = subprocess.run([sys.executable, "-c", script, run.path], capture_output=True, encoding="utf-8")
    assert "another process works in" in done.stderr.splitlines()[-1]
    assert "train recipe member, process" in done.stderr.splitlines()[-1]
    assert not run.holder()
    with run.alone():
        pass


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


@pytest.mark.parametrize(
    "weights",
    ["7", "null", "{}", '{"logistic": "x"}', '{"logistic": -1}', '{"logistic": NaN}', '{"foreign": 1.0}',
     '{"logistic": 1' + "0" * 400 + "}"],
)  # fmt: skip
def test_invalid_blend_weights_are_named(tmp_path, tiny_recipes, weights):
    """The longest number exceeds the range of float64."""
    experiment = Experiment(recipe.load("tiny"), tmp_path, tmp_path / "runs")
    write_text(experiment.run("blend").ensemble, f'{{"weights": {weights}}}')
    with pytest.raises(KitError, match=r"ensemble\.json is damaged: .* yt8m ensemble tiny blend --anew"):
        experiment.shares("blend")


def test_a_damaged_lock_file_is_decoded_with_replacement(tmp_path):
    run = Run(tmp_path)
    with run.alone():
        run.lock.write_bytes(b"train\xff")
        assert run.holder() == "train\ufffd"
