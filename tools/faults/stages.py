"""Every stage of the recipe every_stage in order, as command lines in a folder; and what they made there."""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.pipeline.state import Inspection
from yt8m_kit.recipe import load
from yt8m_kit.run import Experiment
from yt8m_kit.training import checkpoints

RECIPE = "every_stage"
VIDEOS = ("--train=60", "--validate=40", "--test=300")  # test: three batches of a prediction
# Files that hold times, random names, bytes of those, or absolute paths.
VARYING = (".lock", "saved_model.pb", "fingerprint.pb", "export.json", "converted.json")
VARYING_FOLDERS = ("provenance",)
VARYING_KEYS = ("date", "videos_per_second", "crc")


class Command(NamedTuple):
    """A stage's command line; stage: None where it makes a data set."""

    words: list[str]
    main: Path
    stage: Stage | None

    @property
    def verb(self) -> str:
        """The row of a table that it belongs to."""
        return " ".join(word for word in self.words if word in (self.words[0], "--format=tgz"))

    @property
    def title(self) -> str:
        """Verb and name, as people are told of it."""
        return self.words[0] if self.stage is None else f"{self.verb} {self.words[2]}"

    def progress(self) -> int:
        """How far an unfinished attempt has come: steps, rows or files that the next one resumes from."""
        if self.stage is None or not self.stage.partials:
            return 0
        first = self.stage.partials[0]
        if self.verb == "predict":
            places = (json.loads(place.read_text())["content"] for place in first.glob("[!.]*.json"))
            return sum(place["rows"] + place["complete"] for place in places)
        if self.verb == "distill":
            return len([*first.glob("[!.]*.npz")])
        state = checkpoints.load_state(first)
        return state.step if state else 0


class Place:
    """A folder with data, converted shards and runs."""

    def __init__(self, root: Path):
        self.root = root
        self.data, self.converted, self.runs = (root / name for name in ("data", "converted", "runs"))

    def _stages(self, data: Path) -> Stages:
        return Stages(Experiment(load(RECIPE), data, self.runs))

    @cached_property
    def commands(self) -> list[Command]:
        """All stages, each after those that it needs."""
        vocabulary = self.root / "names.csv"
        if not vocabulary.exists():
            vocabulary.write_text("Index,Name\n0,zero\n1,one\n2,two\n")
        synthesized = ["synthesize", str(self.data), *VIDEOS]
        converted = ["convert", str(self.data / "validate0000.tfrecord"), str(self.converted)]
        converted += [f"--recipe={RECIPE}", "--split=validate", f"--vocabulary={vocabulary}", "--videos=4"]
        return [
            Command(synthesized, self.data / "manifest.json", None),
            Command(converted, self.converted / "validate", None),
            *(self._command(stage) for stage in self.stages()),
        ]

    def stages(self) -> list[Stage]:
        """The stages of runs, as the recipe has them now."""
        stages = self._stages(self.data)
        last = [stages.export("teacher", format="tgz"), stages.graph_scores("blend"), stages.submit("blend")]
        return [*stages.leading_to(last), self._stages(self.converted).segments("teacher")]

    def _command(self, stage: Stage) -> Command:
        words = [*stage.words, f"--runs={self.runs}"]
        words += [f"--data={stage.experiment.data}"] if stage.verb != "export" else []
        return Command(words, stage.main, stage)

    def not_up_to_date(self) -> list[str]:
        """The stages whose product or record is not as it should be, and why."""
        states = [(stage, Inspection().state(stage)) for stage in self.stages()]
        return [f"{stage.command}: {state}" for stage, state in states if state.kind != "up to date"]

    def products(self) -> dict[str, str]:
        """SHA-256 by relative path of all that the stages have made and that does not vary between runs."""
        return {path.relative_to(self.root).as_posix(): _digest(path) for path in self._files()}

    def _files(self) -> Iterator[Path]:
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and path.name != "names.csv" and not set(VARYING_FOLDERS) & set(path.parts):
                yield path


def _digest(path: Path) -> str:
    """Of a file's content without what varies between runs."""
    if path.name in VARYING:
        return "varies"
    content = path.read_bytes()
    if path.suffix in (".json", ".jsonl"):
        lines = content.splitlines() if path.suffix == ".jsonl" else [content]
        content = json.dumps([_constant(json.loads(line)) for line in lines]).encode()
    return hashlib.sha256(content).hexdigest()


def _constant(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key not in VARYING_KEYS}
    return value
