"""Real products of a small run of tests/recipes/tiny.py, of every kind that the kit reads."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.data import verify
from yt8m_kit.data.convert import convert
from yt8m_kit.data.download.download import sources, store_plan
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import Batch
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.inference.shard_rows import ShardRows
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Recipe, load
from yt8m_kit.run import Experiment, Run
from yt8m_kit.submission import ledger
from yt8m_kit.submission.kaggle.attempt import SubmissionAttempt

MADE = (
    *(f"{verb} {name}" for name in ("logistic", "netvlad") for verb in ("train", "average", "evaluate")),
    *("train ema", "average ema", "ensemble blend", "export logistic", "export blend", "evaluate blend"),
    *("ensemble mixed", "quantize mixed", "ensemble calibrated", "quantize calibrated", "export calibrated"),
    *("distill logistic", "predict blend", "submit blend"),
)
SHA256 = "0123456789abcdef" * 4
PLAN = b'{"files": {"trainaa.tfrecord": "%s", "trainab.tfrecord": "%s"}}' % (b"a1" * 16, b"b2" * 16)
VOCABULARY = b'Index,Name\n0,Zero\n3,"Three, or so"\n7,Seven\n'
LABELS = b"video,labels\nv1,0;3\nv2,7\nv3,\n"
PARTIAL_VIDEOS = 30


@dataclass(frozen=True)
class Products:
    """Folders of a run, as the verbs were given them."""

    path: Path

    @property
    def data(self) -> Path:
        """The records, and what belongs to them."""
        return self.path / "data"

    @property
    def recipes(self) -> Path:
        """The recipe, and results.csv."""
        return self.path / "recipes"

    @property
    def recipe(self) -> Recipe:
        """The recipe itself."""
        return load("tiny")

    @property
    def stages(self) -> Stages:
        """The stage graph, built anew: nothing of an earlier look is known."""
        return Stages(Experiment(self.recipe, self.data, self.path / "runs"))

    def run(self, name: str) -> Run:
        """The run of a member or ensemble."""
        return self.stages.experiment.run(name)


def make(path: Path) -> Products:
    """Make all products below `path`; recipes are found there from then on. Takes a minute."""
    made = Products(path)
    shutil.copytree(RECIPES, made.recipes, ignore=shutil.ignore_patterns("__pycache__"))
    os.environ["YT8M_RECIPES"] = str(made.recipes)
    synthesize(made.data, train=60, validate=40, test=40, shards=2)
    for words in MADE:
        verb, name = words.split()
        places = [f"--data={made.data}"] * (verb != "export") + [f"--runs={path / 'runs'}"]
        if main([verb, "tiny", name, *places]):
            raise RuntimeError(f"{words} failed")
    _add_data(made)
    _add_unfinished(made)
    return made


def _add_data(made: Products) -> None:
    """What is not a stage's: a vocabulary, labels, a plan, verification results, submissions."""
    write_with_checksum(made.data / "vocabulary.csv", VOCABULARY)
    (made.data / "own_vocabulary.csv").write_bytes(VOCABULARY)
    (made.data / "own_labels.csv").write_bytes(LABELS)
    shutil.copy(made.data / "test_truth.csv", made.data / "own_truth.csv")
    store_plan(made.data / "2/download_plans/frame_train.json", PLAN)
    convert_one(made)
    verify.verify(splits.find(made.data, "train"), made.recipe.dataset, sources(urls="http://127.0.0.1:1"))
    for ref in (4711, 4712, 4713):
        ledger.upsert({"date": "2026-01-01T00:00:00+00:00", "commit": "0123456789ab", "recipe": "tiny",
                       "ensemble": "blend", "model_bytes": 10**6, "bytes": 9697, "sha256": SHA256, "ref": ref,
                       "local": 0.5, "status": "complete", "public": 0.25 + ref / 10**5})  # fmt: skip
    attempt = SubmissionAttempt.of(made.run("blend"), SHA256, "youtube8m-2018")
    attempt.save(token="token", url="https://example.org/upload", sent=True, asked=True, requested=1.5e9)


def convert_one(made: Products) -> Path:
    """Convert a shard to an own data set, or find that it is up to date."""
    return convert(splits.find(made.data, "test")[0], made.path / "own", made.recipe.dataset)


def _add_unfinished(made: Products) -> None:
    """A prediction of the validate split that was interrupted, and a product whose record has no name yet."""
    stage = made.stages.predict("blend", "validate")
    rows = ShardRows(stage.partials[0], splits.find(made.data, "validate")[0])
    rng = np.random.default_rng(0)
    labels = np.argsort(rng.random((PARTIAL_VIDEOS, 24)), axis=1)[:, :20].astype(np.int32)
    confidences = -np.sort(-rng.random((PARTIAL_VIDEOS, 20), np.float32), axis=1)
    empty = np.zeros(0)
    ids = [f"v{number:03d}" for number in range(PARTIAL_VIDEOS)]
    rows.add(
        Batch(empty, empty, empty, ids, Position(record=PARTIAL_VIDEOS)),
        {"labels": labels, "confidences": confidences},
    )
    rows.save()
    rows.close()
    record = made.stages.ensemble("mixed").record
    shutil.move(record, record.with_suffix(".next.json"))
