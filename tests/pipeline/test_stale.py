"""A stale product is never returned: its verb refuses it, `run` makes it again.

Each case changes one source of one product and runs the verb; then `run` must leave everything up to date.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.recipes import RECIPES
from yt8m_kit.cli.main import main
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.dataset import DEMO
from yt8m_kit.output.checksums import write_with_checksum
from yt8m_kit.output.digest import digest
from yt8m_kit.output.provenance import read_record


@dataclass(frozen=True)
class Place:
    """A test's own folders of recipes, records and runs."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipes" / "tiny.py"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    def file(self, name: str) -> Path:
        return self.runs / "tiny" / name

    def yt8m(self, *words: str) -> int:
        data = [] if words[0] == "export" else [f"--data={self.data}"]
        return main([*words, *data, f"--runs={self.runs}"])

    def edit(self, before: str, after: str) -> None:
        text = self.recipe.read_text()
        assert text.count(before) >= 1, before
        self.recipe.write_text(text.replace(before, after))

    def shard(self, split: str) -> Path:
        return splits.find(self.data, split)[0]

    def copy_to(self, path: Path) -> "Place":
        shutil.copytree(self.path, path, symlinks=True)
        return Place(path)


# The products that exist before a source changes.
MADE = (
    *(["evaluate", name] for name in ("logistic", "netvlad")),
    *(["ensemble", "mixed"], ["quantize", "mixed"], ["ensemble", "calibrated"], ["quantize", "calibrated"]),
    *(["export", name] for name in ("logistic", "blend", "mixed", "calibrated")),
    *(["export", "blend", "--format=tgz"], ["distill", "logistic"], ["train", "student"]),
    *(["evaluate", "blend"], ["predict", "blend"], ["predict", "blend", "--split=validate"]),
    *(["submit", "blend"], ["segments", "logistic"]),
)


@pytest.fixture(scope="module")
def made(tiny_data, tiny_runs, tmp_path_factory) -> Iterator[Place]:
    """The tiny recipe with a product of every kind."""
    place = Place(tmp_path_factory.mktemp("stale") / "whole")
    shutil.copytree(RECIPES, place.path / "recipes")
    shutil.copytree(tiny_data.path, place.data)
    shutil.copytree(tiny_runs, place.runs)
    (place.data / "vocabulary.csv").write_text("Index,Name\n0,Zero\n3,Three\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(place.path / "recipes"))
        for verb, *words in MADE:
            assert place.yt8m(verb, "tiny", *words) == 0, (verb, words)
        yield place


@pytest.fixture
def place(made, tmp_path, monkeypatch) -> Place:
    """A copy of `made`, for a test that changes it."""
    own = made.copy_to(tmp_path / "own")
    monkeypatch.setenv("YT8M_RECIPES", str(own.path / "recipes"))
    return own


def setting(before: str, after: str) -> Callable[[Place], None]:
    return lambda place: place.edit(before, after)


def shard_grows(split: str) -> Callable[[Place], None]:
    """One more shard, a copy of the first."""
    return lambda place: shutil.copy(place.shard(split), place.data / f"{split}0009.tfrecord")  # type: ignore[return-value]


def cut(split: str) -> Callable[[Place], None]:
    """Remove the last byte of a shard."""
    return lambda place: os.truncate(place.shard(split), place.shard(split).stat().st_size - 1)


def again(*words: str) -> Callable[[Place], None]:
    """Make an input of the product again, with the settings of these words."""

    def make(place: Place) -> None:
        assert place.yt8m(words[0], "tiny", *words[1:], "--anew") == 0

    return make


def retrained(place: Place) -> None:
    place.edit(LOGISTIC, f"{LOGISTIC}, seed=7")
    assert place.yt8m("train", "tiny", "logistic", "--anew") == 0


def flip(name: str) -> Callable[[Place], None]:
    """Flip a bit in the middle of a file and keep its modification time."""

    def damage(place: Place) -> None:
        path = place.file(name)
        times = path.stat()
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    return damage


def edit_json(name: str, **values: object) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        kept = json.loads(place.file(name).read_text())
        place.file(name).write_text(json.dumps(kept | values))

    return change


def replace_text(name: str, before: str, after: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        path = place.data / name
        path.write_text(re.sub(before, after, path.read_text(), count=1))

    return change


def last_test_video_lost(place: Place) -> None:
    """Remove a video from the records and from the truth."""
    cut("test")(place)
    [lost] = read_batches([place.shard("test")], DEMO, 100)
    truth = place.data / "test_truth.csv"
    others = {
        video
        for path in splits.find(place.data, "test")[1:]
        for batch in read_batches([path], DEMO, 100)
        for video in batch.ids
    }
    lines = truth.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.split(",")[0] in {"VideoId", *lost.ids, *others}]
    write_with_checksum(truth, "".join(kept).encode())


RATE = "steps=20, learning_rate=1e-2"
LOGISTIC = f'"logistic": Member("frame_logistic", batch_size=16, {RATE}'
BLEND = '"blend": Ensemble(("logistic", "netvlad"), rounds=2'
MIXED = '"mixed": Ensemble(("logistic", "netvlad"), weights=(1.0, 1.0), codec="mixed"'
FASTER = setting(RATE, RATE.replace("1e-2", "2e-2"))
HALF = {"logistic": 1.0, "netvlad": 0.0}


def dataset(change: str) -> Callable[[Place], None]:
    return setting("dataset=DEMO,", f"dataset=__import__('dataclasses').replace(DEMO, {change}),")


def blend(change: str) -> Callable[[Place], None]:
    return setting(BLEND, f"{BLEND}, {change}")


def mixed(change: str) -> Callable[[Place], None]:
    return setting(MIXED, f"{MIXED}, {change}")


def other(product: str) -> str:
    return f"{product} has changed"


CASES = {
    # product: the verb that must refuse it, the change, the message
    "train: learning rate": ("train logistic", FASTER, "learning_rate was 0.01, is now 0.02"),
    "train: hyperparameter": (
        "train netvlad",
        setting('"clusters": 4', '"clusters": 5'),
        "hyperparameters.clusters was 4, is now 5",
    ),
    "train: order of features": ("train logistic", dataset("features=DEMO.features[::-1]"), "features was"),
    "train: max_frames": ("train logistic", dataset("max_frames=20"), "max_frames was"),
    "train: classes": ("train logistic", dataset("classes=60"), "classes was 50, is now 60"),
    "train: labels under another key": (
        "train logistic",
        dataset("label_keys=('genres',)"),
        "label_keys was not set, is now ['genres']",
    ),
    "train: one more shard": (
        "train logistic",
        shard_grows("train"),
        "the train split gained 1 and lost 0 shards",
    ),
    "train: another shard": ("train logistic", cut("train"), "bytes, now has"),
    "train: teacher's labels": (
        "train student",
        again("distill", "logistic", "--top=10"),
        "logistic/soft_labels",
    ),
    "average: which checkpoints": (
        "average netvlad",
        setting("Range(10, 30)", "Range(15, 30)"),
        "netvlad/trained.weights.h5 is stale",
    ),
    "average: kept how": (
        "average netvlad",
        setting("average=Range(10, 30)", "average=Range(10, 30), keep_average='better'"),
        "keep_average was 'always', is now 'better'",
    ),
    "average: retrained": ("average logistic", retrained, other("logistic/trained.weights.h5")),
    "evaluate: other videos": ("evaluate netvlad", cut("validate"), "bytes, now has"),
    "evaluate: retrained": ("evaluate logistic", retrained, "averaged.weights.h5 is stale"),
    "ensemble: given weights": (
        "ensemble mixed",
        setting(MIXED, MIXED.replace("(1.0, 1.0)", "(1.0, 2.0)")),
        "weights was [1.0, 1.0], is now [1.0, 2.0]",
    ),
    "ensemble: codec of a search": (
        "ensemble blend",
        blend('codec="int4"'),
        "codec was 'uint8', is now 'int4'",
    ),
    "ensemble: limit of a search": (
        "ensemble blend",
        blend("limit=900_000"),
        "limit was 1073741824, is now 900000",
    ),
    "ensemble: members": (
        "ensemble blend",
        setting(BLEND, BLEND.replace('"logistic", "netvlad"', '"netvlad", "logistic"')),
        "members was",
    ),
    "quantize: limit": ("quantize mixed", mixed("limit=300_000"), "limit was 1073741824, is now 300000"),
    "quantize: calibrated too": (
        "quantize mixed",
        mixed("calibrated=True"),
        "calibrated was False, is now True",
    ),
    "quantize: other videos": ("quantize calibrated", cut("train"), "bytes, now has"),
    "quantize: blended otherwise": (
        "quantize mixed",
        edit_json("mixed/ensemble.json", weights=HALF),
        "ensemble.json is damaged",
    ),
    "export: rounds": ("export mixed", mixed("rounds=2"), "plan.json is stale: rounds was 1, is now 2"),
    "export: retrained": ("export blend", retrained, "is stale"),
    "export: an edited blend": (
        "export blend",
        edit_json("blend/ensemble.json", weights=HALF),
        "ensemble.json is damaged: ensemble.json differs from its record",
    ),
    "export: an edited plan": ("export mixed", edit_json("mixed/plan.json", bytes=1), "plan.json is damaged"),
    "export: damaged codes": ("export calibrated", flip("calibrated/codes.netvlad.npz"), "up to date"),
    "archive: codec": ("export blend --format=tgz", blend('codec="int4"'), "is stale"),
    "predict: other videos": ("predict blend", cut("test"), "bytes, now has"),
    "predict: one more shard": ("predict blend", shard_grows("test"), "the test split gained 1"),
    "predict: exported anew": ("predict blend", again("export", "blend"), other("blend/graph")),
    "predict validate: exported anew": (
        "predict blend --split=validate",
        again("export", "blend"),
        other("blend/graph"),
    ),
    "predict: a retrained member": ("predict blend", retrained, "is stale"),
    "evaluate graph: exported anew": ("evaluate blend", again("export", "blend"), other("blend/graph")),
    "distill: exported anew": ("distill logistic", again("export", "logistic"), other("logistic/graph")),
    "distill: other videos": ("distill logistic", shard_grows("train"), "the train split gained 1"),
    "distill: fewer labels": ("distill logistic --top=10", lambda place: None, "top was 50, is now 10"),
    "submit: another truth": ("submit blend", replace_text("test_truth.csv", r",(\d+)", r",4"), "truth was"),
    "submit: another CSV": ("submit blend", again("predict", "blend"), "up to date"),
    "segments: another vocabulary": (
        "segments logistic",
        replace_text("vocabulary.csv", "3,Three", "4,Four"),
        "vocabulary was",
    ),
    "segments: exported anew": ("segments logistic", again("export", "logistic"), other("logistic/graph")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_changed_source_is_detected(place, case, capsys):
    words, change, said = CASES[case]
    verb, name, *options = words.split()
    change(place)
    before = {file: digest(file) for file in place.file(name).iterdir() if file.is_file()}
    capsys.readouterr()
    code = place.yt8m(verb, "tiny", name, *options)
    out, err = capsys.readouterr()
    assert said in err.splitlines()[-1], err
    if said == "up to date":  # the change is no source of it, or its result is equal
        assert code == 0
    else:
        assert code in (1, 2)
        assert not out
        assert "--anew" in err.splitlines()[-1]
        for file, known in before.items():
            assert file.suffix == ".lock" or file.name == ".lock" or digest(file) == known, file


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (FASTER, ["train", "average", "evaluate", "ensemble", "export", "predict", "submit"]),
        (again("export", "blend"), ["predict"]),
        (last_test_video_lost, ["predict", "submit"]),
        (lambda place: shutil.rmtree(place.file("logistic")), ["train", "average", "evaluate"]),
        (flip("logistic/averaged.weights.h5"), []),
        (lambda place: os.utime(place.file("logistic/averaged.weights.h5")), []),
    ],
)  # fmt: skip
def test_run_makes_only_stale_products_again(place, capfd, change, stages):
    """Damage that keeps size and time is detected on loading only; a new time alone is no change."""
    assert place.yt8m("run", "tiny", "blend", "--to=submit") == 0
    change(place)
    capfd.readouterr()
    assert place.yt8m("run", "tiny", "blend", "--to=submit") == 0
    ran = re.findall(r"^\[\d+ of \d+\] (\w+) tiny", capfd.readouterr().err, re.M)
    assert ran[: len(stages)] == stages
    assert place.yt8m("run", "tiny", "blend", "--to=submit", "--dry_run") == 0
    assert capfd.readouterr().out == "everything is up to date\n"


def test_a_flipped_bit_is_detected_on_loading(place, capsys):
    """Size and time are unchanged, so only the digest shows it."""
    flip("logistic/averaged.weights.h5")(place)
    assert place.yt8m("export", "tiny", "logistic", "--anew") == 1
    assert "averaged.weights.h5 is damaged: its SHA-256" in capsys.readouterr().err
    flip("blend/graph/variables/variables.data-00000-of-00001")(place)
    assert place.yt8m("evaluate", "tiny", "blend", "--split=train") == 1
    assert "blend/graph is damaged" in capsys.readouterr().err
    flip("netvlad/validate.probabilities.npz")(place)
    assert place.yt8m("ensemble", "tiny", "blend", "--anew") == 1
    assert "validate.probabilities.npz is damaged" in capsys.readouterr().err
    flip("logistic/soft_labels/train0000.npz")(place)
    assert place.yt8m("train", "tiny", "student", "--anew") == 1
    assert "soft_labels/train0000.npz" in capsys.readouterr().err


def test_anew_moves_the_old_product_to_old(place, capsys):
    old = digest(place.file("logistic/trained.weights.h5"))
    retrained(place)
    assert digest(place.file("logistic/trained.weights.h5")) != old
    [aside] = place.file("logistic/old").glob("*/trained.weights.h5")
    assert digest(aside) == old
    assert list(aside.parent.glob("checkpoints/state.npz"))
    assert f"moved old files to {aside.parent}" in capsys.readouterr().err


def test_a_product_without_a_record_is_refused(place, capsys):
    """Made by an earlier version of the kit."""
    shutil.rmtree(place.file("logistic/provenance"))
    assert place.yt8m("average", "tiny", "logistic") == 2
    assert "there is no record of its sources" in capsys.readouterr().err


def test_a_graph_is_usable_without_its_members(place):
    csv = place.file("blend/submission.csv")
    old = csv.read_bytes()
    for name in ("logistic", "netvlad"):
        shutil.rmtree(place.file(name))
    assert place.yt8m("predict", "tiny", "blend", "--anew") == 0
    assert csv.read_bytes() == old


def test_a_recipe_under_another_name_is_refused(place, capsys):
    shutil.copy(place.recipe, place.recipe.with_name("other.py"))
    assert main(["train", "other", "logistic", f"--data={place.data}", f"--runs={place.runs}"]) == 2
    assert "RECIPE.name must be 'other', the name of its file; got 'tiny'" in capsys.readouterr().err


def test_settings_that_do_not_affect_a_stage_leave_it_up_to_date(place):
    place.edit(RATE + ")", RATE + ", published_parameters=7)")
    place.edit('description="for tests"', 'description="for other tests"')
    assert place.yt8m("train", "tiny", "logistic") == 0


def test_how_many_records_may_be_skipped_leaves_all_products_up_to_date(place, capsys):
    assert place.yt8m("run", "tiny", "blend", "--to=submit") == 0
    dataset("max_skipped=0.2")(place)
    capsys.readouterr()
    assert place.yt8m("run", "tiny", "blend", "--to=submit", "--dry_run") == 0
    assert capsys.readouterr().out == "everything is up to date\n"


def test_records_of_sources_do_not_depend_on_new_fields_of_the_dataset(place):
    """They equal those written before label_keys and max_skipped existed."""
    for name in ("logistic/provenance/trained.weights.h5", "blend/provenance/submission.csv"):
        record = read_record(place.file(f"{name}.json"))
        assert record
        assert record.sources["dataset"] == {
            "features": [["rgb", 1024], ["audio", 128]],
            "classes": 50,
            "max_frames": 32,
            "id_keys": ["id", "video_id"],
        }


def other_records(place: Place) -> Path:
    folder = place.path / "others"
    synthesize(folder, train=60, validate=40, test=40, shards=2, seed=5)
    return folder


def test_a_resumed_prediction_refuses_other_records_and_another_graph(place, capsys):
    """The folder of rows is a placeholder: sources are checked before it is read."""
    csv, folder = place.file("blend/submission.csv"), place.file("blend/submission.shards")
    attempt = place.file("blend/provenance/submission.csv.begun.json")
    csv.unlink()
    folder.mkdir()
    assert attempt.exists()
    others = other_records(place)
    assert main(["predict", "tiny", "blend", f"--data={others}", f"--runs={place.runs}"]) == 2
    assert "from other sources: " in capsys.readouterr().err
    assert place.yt8m("export", "tiny", "blend", "--anew") == 0
    assert place.yt8m("predict", "tiny", "blend") == 2
    assert "submission.csv from other sources: blend/graph has changed" in capsys.readouterr().err
    assert place.yt8m("predict", "tiny", "blend", "--anew") == 0


def test_a_resumed_training_refuses_other_records_and_settings(place, capsys):
    place.file("logistic/trained.weights.h5").unlink()
    others = other_records(place)
    assert main(["train", "tiny", "logistic", f"--data={others}", f"--runs={place.runs}"]) == 2
    assert "from other sources: " in capsys.readouterr().err
    place.edit(RATE, RATE.replace("1e-2", "2e-2"))
    assert place.yt8m("train", "tiny", "logistic") == 2
    assert "learning_rate was 0.01, is now 0.02" in capsys.readouterr().err


def test_sources_may_change_before_the_first_checkpoint(place):
    shutil.rmtree(place.file("logistic"))
    place.edit(RATE, RATE.replace("1e-2", "2e-2"))
    assert main(["train", "tiny", "logistic", "--data=/nowhere", f"--runs={place.runs}"]) == 2
    place.edit(RATE.replace("1e-2", "2e-2"), RATE)
    assert place.yt8m("train", "tiny", "logistic") == 0
