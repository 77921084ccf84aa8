"""Every file that the kit reads, with the reader that its verbs call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.fuzz.outcomes import AGAIN, Kind
from tools.fuzz.products import SHA256, Products, convert_one
from yt8m_kit.data.download.download import read_plan
from yt8m_kit.data.download.partition import Partition
from yt8m_kit.data.format import vocabulary
from yt8m_kit.data.format.label_file import LabelFile
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.manifest import Manifest
from yt8m_kit.data.reading.soft_labels import SoftLabels, read_digests
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.evaluation.evaluate import probabilities_of
from yt8m_kit.evaluation.local_board import read_truth
from yt8m_kit.inference.member_model import load_weights, model_of
from yt8m_kit.inference.predictor import load_graph
from yt8m_kit.inference.shard_rows import ShardRows
from yt8m_kit.output import progress
from yt8m_kit.pipeline.job import csv_of, read_or_warn, verified, working
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.state import Inspection, attempt_changes, attempt_record
from yt8m_kit.quantization.tensor_plan import load_codes, planned
from yt8m_kit.reporting.report import report
from yt8m_kit.reporting.show import show
from yt8m_kit.submission import ledger
from yt8m_kit.submission.csv_reader import read
from yt8m_kit.submission.kaggle.attempt import SubmissionAttempt
from yt8m_kit.training import checkpoints
from yt8m_kit.training.log import TrainingLog, read_rows


def kinds(made: Products) -> list[Kind]:
    """All of them, in the order of the pipeline."""
    return [*_data(made), *_training(made), *_blending(made), *_graph(made), *_submission(made)]


def _plain(arrays: Any) -> list[Any]:
    """Arrays as values that can be compared."""
    return [(array.dtype.str, array.shape, array.tobytes()) for array in arrays]


def _data(made: Products) -> list[Kind]:
    data, dataset, classes = made.data, made.recipe.dataset, made.recipe.dataset.classes
    shard = splits.find(data, "train")[0]
    plan = data / "2/download_plans/frame_train.json"

    def batches() -> Any:
        faults, found = Faults(), []
        for batch in read_batches([shard], dataset, 8, faults=faults):
            found += [(video, *_plain(rows)) for video, *rows in zip(batch.ids, batch.frames, batch.labels)]
        progress.say(faults.summary())
        return found

    def counted() -> Any:
        known = Manifest(data, dataset).get(shard)
        return (splits.count([shard]), known) if known else AGAIN

    def settings() -> None:
        synthesize(data, train=60, validate=40, test=40, shards=2)

    return [
        Kind("TFRecord shard", shard, batches),
        Kind("synthesized set: manifest.json", data / "manifest.json", settings, (str(data),)),
        Kind("verified.json", data / "verified.json", counted),
        Kind("converted.json", made.path / "own/train/converted.json", lambda: convert_one(made)),
        Kind("download plan", plan, lambda: read_plan(Partition("2", "frame", "train"), data, ())),
        Kind("vocabulary.csv", data / "vocabulary.csv", lambda: vocabulary.read(data / "vocabulary.csv")),
        Kind("vocabulary.csv.sha256", data / "vocabulary.csv.sha256",
             lambda: vocabulary.read(data / "vocabulary.csv")),
        Kind("test_truth.csv", data / "test_truth.csv", lambda: read_truth(data / "test_truth.csv", classes)),
        Kind("own vocabulary", data / "own_vocabulary.csv",
             lambda: vocabulary.read(data / "own_vocabulary.csv"), authored=True),
        Kind("own labels", data / "own_labels.csv",
             lambda: LabelFile(data / "own_labels.csv", {0: "Zero"}, classes)._lines, authored=True),
        Kind("own truth", data / "own_truth.csv", lambda: read_truth(data / "own_truth.csv", classes),
             authored=True),
    ]  # fmt: skip


def _training(made: Products) -> list[Kind]:
    run, ema = made.run("netvlad"), made.run("ema").path / "ema"
    model = model_of(made.recipe.member("netvlad"), made.recipe.dataset)
    kept = checkpoints.weights_in(run.checkpoints, 0, 10**9)[0]
    last = made.recipe.member("netvlad").steps or 0

    def weights(verb: str) -> Callable[[], Any]:
        stages = made.stages
        stage = getattr(stages, verb)("netvlad")
        return lambda: _plain(v.numpy() for v in load_weights(model, verified(stage)).variables)

    def state(folder: Path) -> Callable[[], Any]:
        def load() -> Any:
            found = checkpoints.load_state(folder)
            assert found is not None
            groups = [_plain(group) for group in (found.model, found.optimizer, found[4])]
            return [found.step, found.position, found.notes, *groups]

        return load

    def resumed() -> Any:
        TrainingLog(run.metrics, "checkpoints", last)
        return read_rows(run.metrics, "checkpoints")

    train, average = made.stages.train("netvlad"), made.stages.average("netvlad")
    return [
        Kind("trained.weights.h5", run.trained, weights("train")),
        Kind("averaged.weights.h5", run.averaged, weights("average")),
        Kind("checkpoints/state.npz", run.checkpoints / "state.npz", state(run.checkpoints)),
        Kind("ema/state.npz", ema / "state.npz", state(ema)),
        Kind("checkpoints/weights-STEP.npz", kept, lambda: _plain(checkpoints.read_weights(kept))),
        Kind("metrics.jsonl (resume)", run.metrics, resumed),
        Kind("metrics.jsonl (report)", run.metrics, lambda: report(made.stages.experiment)),
        Kind("average.json", run.average, lambda: verified(average, run.average).read_text()),
        Kind("provenance: record", average.record, lambda: _state(made.stages.average("netvlad"))),
        Kind(
            "provenance: begun", attempt_record(train), lambda: attempt_changes(made.stages.train("netvlad"))
        ),
        _next(made),
    ]


def _state(stage: Stage) -> Any:
    state = Inspection().state(stage)
    return verified(stage).name, state.kind, state.reasons, state.record


def _next(made: Products) -> Kind:
    """The record of a product that a killed process had put in place already."""
    record = made.stages.ensemble("mixed").record

    def settled() -> Any:
        record.unlink(missing_ok=True)
        stage = made.stages.ensemble("mixed")
        with working(stage) as job:
            return job.is_done, stage.identity()

    main = made.stages.ensemble("mixed").main
    return Kind("provenance: next", record.with_suffix(".next.json"), settled, (main.name,))


def _blending(made: Products) -> list[Kind]:
    netvlad, logistic, calibrated = made.run("netvlad"), made.run("logistic"), made.run("calibrated")
    recipe = made.recipe
    shard = splits.find(made.data, "train")[0]

    def probabilities() -> Any:
        return _plain(probabilities_of(made.stages.experiment, "netvlad"))

    def read_for_export(name: str) -> Callable[[], Any]:
        def load() -> Any:
            stages = made.stages
            for need in stages.export(name).needs:
                for file in need.files:
                    verified(need, file)
            shares = stages.experiment.shares(name)
            tensors = planned(recipe, recipe.ensemble(name), list(shares), stages.experiment.run(name))
            codes = load_codes(stages.experiment.run(name), tensors) if name == "calibrated" else {}
            arrays = [_plain(each.arrays.values()) for each in codes.values()]
            return shares, tensors, arrays

        return load

    def soft_labels() -> Any:
        index = verified(made.stages.distill("logistic"))
        [found] = SoftLabels(index.parent, 0.5, read_digests(index)).of([shard]).shards
        return found._rows, *_plain((found._labels, found._probabilities))

    return [
        Kind("SPLIT.probabilities.npz", netvlad.probabilities("validate"), probabilities),
        Kind("ensemble.json (export)", made.run("blend").ensemble, read_for_export("blend")),
        Kind("ensemble.json (report)", made.run("blend").ensemble, lambda: report(made.stages.experiment)),
        Kind("plan.json", calibrated.plan, read_for_export("calibrated")),
        Kind("codes.MEMBER.npz", calibrated.codes("netvlad"), read_for_export("calibrated")),
        Kind("soft_labels/SHARD.npz", logistic.soft_labels / f"{shard.stem}.npz", soft_labels),
        Kind("soft_labels/manifest.json", logistic.soft_label_index, soft_labels),
    ]


def _graph(made: Products) -> list[Kind]:
    graph = made.run("blend").graph

    def load() -> Any:
        stages = made.stages
        load_graph(verified(stages.export("blend")), "top")
        return stages.export("blend").identity()

    files = sorted(file for file in graph.rglob("*") if file.is_file() and file.stat().st_size)
    return [
        Kind(f"graph/{file.relative_to(graph)}", file, load, (str(graph),))
        for file in files
        if file.name != "fingerprint.pb"
    ]


def _submission(made: Products) -> list[Kind]:
    run, dataset = made.run("blend"), made.recipe.dataset
    prediction = made.stages.predict("blend", "validate")
    shard = splits.find(made.data, "validate")[0]

    def resumed() -> Any:
        rows = ShardRows(prediction.partials[0], shard)
        rows.close()
        return rows.count, rows.record, rows.is_complete, rows.path.read_bytes()

    def whole_report() -> str:
        return report(made.stages.experiment)

    def figures() -> Any:
        stages = made.stages
        return read_or_warn(stages.export("blend"), run.export), read_or_warn(stages.submit("blend"))

    def csv() -> Any:
        ids, *arrays = read(csv_of(made.stages.predict("blend")), dataset.classes)
        return ids, *_plain(arrays), show(made.stages.experiment, "blend")

    def attempt() -> Any:
        return SubmissionAttempt.of(run, SHA256, "youtube8m-2018")

    def results() -> Any:
        return ledger.read().to_csv()

    csv_part = prediction.partials[0] / f"{shard.stem}.csv"
    partials = (csv_part, csv_part.with_suffix(".json"))
    checksum = ledger.path().with_name("results.csv.sha256")
    return [
        Kind("SPLIT.weights.json", made.run("netvlad").evaluation("validate", "weights"), whole_report),
        Kind("SPLIT.graph.json", run.evaluation("validate", "graph"), whole_report),
        Kind("export.json", run.export, figures),
        Kind("score.json", run.score, figures),
        Kind("submission.shards/SHARD.json", partials[1], resumed, others=partials),
        Kind("submission.shards/SHARD.csv", partials[0], resumed, others=partials),
        Kind("submission.csv", run.submission, csv),
        Kind("kaggle_entry.json", run.entry, attempt),
        Kind("results.csv", ledger.path(), results),
        Kind("results.csv.sha256", checksum, results, ("results.csv",)),
    ]
