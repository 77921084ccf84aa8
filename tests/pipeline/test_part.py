"""Parts of a prediction and of soft labels: any division gives the bytes of the whole stage."""

import shutil
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from tests.support.in_this_process import InThisProcess
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.errors import UsageError
from yt8m_kit.inference.shard_rows import ShardRows
from yt8m_kit.output.digest import digest
from yt8m_kit.pipeline.engines.schedule import Schedule, StageError
from yt8m_kit.pipeline.part import Part, claimed, working_on
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment

pytestmark = pytest.mark.usefixtures("tiny_recipes")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Splits of eight shards: two parts."""
    path = tmp_path_factory.mktemp("eight")
    synthesize(path, train=80, validate=8, test=80, shards=8)
    return path


@pytest.fixture
def exported(tiny_runs, data, tmp_path):
    """An exported graph of a member that was trained on other records."""
    shutil.copytree(tiny_runs, tmp_path / "runs")
    given = Experiment(load("tiny"), data, tmp_path / "runs")
    assert main(["export", "tiny", "logistic", f"--runs={given.runs}"]) == 0
    return given


def yt8m(given, *words):
    return main([*words, f"--data={given.data}", f"--runs={given.runs}"])


def test_parts_of_a_prediction_are_joined_to_the_bytes_of_the_whole(exported):
    run = exported.run("logistic")
    assert yt8m(exported, "predict", "tiny", "logistic") == 0
    whole = run.submission.read_bytes()
    for parts in (["2/3", "1/3", "3/3"], ["2/2"], []):  # missing parts are predicted when all are joined
        run.submission.unlink()
        for part in parts:
            assert yt8m(exported, "predict", "tiny", "logistic", f"--part={part}") == 0
            assert not run.submission.exists()
        assert yt8m(exported, "predict", "tiny", "logistic") == 0
        assert run.submission.read_bytes() == whole
        assert not run.predicted_shards("test").exists()


def test_parts_of_soft_labels_are_joined_to_the_bytes_of_the_whole(exported):
    run = exported.run("logistic")
    assert yt8m(exported, "distill", "tiny", "logistic") == 0
    whole = digest(run.soft_labels)
    shutil.rmtree(run.soft_labels)
    for part in ("2/2", "1/2"):
        assert yt8m(exported, "distill", "tiny", "logistic", f"--part={part}") == 0
        assert not run.soft_label_index.exists()
    before = {file: file.stat().st_mtime_ns for file in run.soft_labels.glob("*.npz")}
    assert yt8m(exported, "distill", "tiny", "logistic") == 0
    assert {file: file.stat().st_mtime_ns for file in run.soft_labels.glob("*.npz")} == before
    assert digest(run.soft_labels) == whole


def test_an_engine_divides_a_prediction_among_its_slots(exported):
    """Three slots, eight shards: two parts of four shards, then the stage that joins them."""
    engine = InThisProcess()
    stage = Stages(exported).predict("logistic")
    Schedule([stage], engine).run()
    assert engine.order[-1] == "predict tiny logistic"
    assert sorted(engine.order[:-1]) == [f"predict tiny logistic --part={n}/2" for n in (1, 2)]


class OneSlotOfMany(InThisProcess):
    """Eight slots by its own account, of which one is free: the other parts wait in the queue."""

    def slots(self, verb):
        return 8

    def is_free(self):
        return not self.started


def test_a_failed_part_stops_its_stage_and_the_parts_that_wait(exported, capsys):
    shutil.rmtree(exported.run("logistic").graph / "variables")
    engine = OneSlotOfMany()
    with pytest.raises(StageError, match=r"^failed: yt8m predict tiny logistic\.$"):
        Schedule([Stages(exported).predict("logistic")], engine).run()
    assert engine.order == ["predict tiny logistic --part=1/2"]
    assert capsys.readouterr().err.count("predict tiny logistic failed: ") == 1


def test_parts_of_a_stale_product_move_it_to_old_first(exported):
    csv = exported.run("logistic").submission
    assert yt8m(exported, "predict", "tiny", "logistic") == 0
    csv.write_text("edited")
    engine = InThisProcess()
    Schedule([Stages(exported).predict("logistic")], engine).run()
    assert len(engine.order) == 3
    assert [aside.read_text() for aside in csv.parent.glob("old/*/submission.csv")] == ["edited"]
    assert yt8m(exported, "predict", "tiny", "logistic") == 0


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_part_is_a_number_of_a_number(exported, part, capsys):
    assert yt8m(exported, "predict", "tiny", "logistic", f"--part={part}") == 2
    assert f"--part must be K/N with 1 <= K <= N, as in 2/4; got {part!r}." in capsys.readouterr().err


def test_a_part_does_not_start_a_product_over(exported, capsys):
    assert yt8m(exported, "distill", "tiny", "logistic", "--part=1/2", "--anew") == 2
    assert "--anew starts a whole product over; run it without --part." in capsys.readouterr().err


def test_a_whole_stage_and_its_parts_exclude_each_other(exported):
    stage, part = Stages(exported).predict("logistic"), Part(1, 2)
    refused = pytest.raises(UsageError, match="another process works in")
    with stage.run.alone(stage.words), refused, working_on(stage, part):
        pass
    with working_on(stage, part), working_on(stage, Part(2, 2)):
        holders = stage.run.holders()
        assert [holder.partition(",")[0] for holder in holders] == [
            f"predict tiny logistic --part={number}/2" for number in (1, 2)
        ]
        with pytest.raises(UsageError, match=r"another process works in .*--part=1/2, process \d+"):
            stage.run.alone().__enter__()
    assert not stage.run.holders()


def test_a_part_of_other_sources_is_refused(exported, tmp_path, capsys):
    assert yt8m(exported, "predict", "tiny", "logistic", "--part=1/2") == 0
    folder = tmp_path / "other"
    other = Experiment(exported.recipe, folder, exported.runs)
    synthesize(folder, train=8, validate=8, test=16, shards=2, seed=1)
    assert yt8m(other, "predict", "tiny", "logistic", "--part=2/2") == 2
    assert "cannot resume" in capsys.readouterr().err


def rows_of(batch, count):
    empty = np.zeros(0)
    labels = np.tile(np.arange(20, dtype=np.int32), (count, 1))
    confidences = np.tile(np.linspace(0.9, 0.1, 20, dtype=np.float32), (count, 1))
    ids = [f"v{batch}{number}" for number in range(count)]
    given = Batch(empty, empty, empty, ids, Position(record=(batch + 1) * count))
    return given, {"labels": labels, "confidences": confidences}


def test_rows_of_a_shard_resume_at_the_last_saved_position(tmp_path):
    shard = tmp_path / "test0000.tfrecord"
    with closing(ShardRows(tmp_path, shard)) as rows:
        rows.add(*rows_of(0, 3))
        rows.save()
        rows.add(*rows_of(1, 3))  # after the saved position
    with closing(ShardRows(tmp_path, shard)) as rows:
        assert (rows.count, rows.record, rows.is_complete) == (3, 3, False)
        rows.add(*rows_of(1, 3))
        rows.complete()
        assert [line.partition(b",")[0] for line in rows.path.read_bytes().splitlines()] == [
            b"v00", b"v01", b"v02", b"v10", b"v11", b"v12",
        ]  # fmt: skip
    with closing(ShardRows(tmp_path, shard)) as rows:
        assert (rows.count, rows.is_complete) == (6, True)


def test_damaged_rows_of_a_shard_start_over(tmp_path, capsys):
    shard = tmp_path / "test0000.tfrecord"
    with closing(ShardRows(tmp_path, shard)) as rows:
        rows.add(*rows_of(0, 3))
        rows.complete()
    content = bytearray(rows.path.read_bytes())
    content[5] ^= 1
    rows.path.write_bytes(content)
    with closing(ShardRows(tmp_path, shard)) as rows:
        assert (rows.count, rows.record, rows.is_complete) == (0, 0, False)
        assert rows.path.stat().st_size == 0
    assert "test0000.csv is damaged. Its shard is predicted again." in capsys.readouterr().err


@pytest.mark.parametrize("hold", ["rows", "side file"])
def test_a_second_process_waits_for_a_shard(tmp_path, hold):
    """Locks of two open files exclude each other in one process, too."""
    path, order = tmp_path / "test0000.tfrecord", []

    def held():
        return closing(ShardRows(tmp_path, path)) if hold == "rows" else claimed(path)

    def second():
        with held():
            order.append("second")

    with held():
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
