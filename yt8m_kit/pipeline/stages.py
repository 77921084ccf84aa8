"""Stage graph of an experiment: the only place that defines what each product depends on."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from yt8m_kit.codecs.formats import litert_bits
from yt8m_kit.data.format import vocabulary
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.digest import digest
from yt8m_kit.pipeline.shards import shards_of
from yt8m_kit.pipeline.stage import OWN_FORMAT, Stage, of_other_recipe, sorted_by_needs
from yt8m_kit.recipe import Ema, Member
from yt8m_kit.run import Experiment
from yt8m_kit.stores.path import DataPath


class Stages:
    """Stages of an experiment, each built once."""

    def __init__(self, experiment: Experiment):
        self.experiment, self.recipe = experiment, experiment.recipe
        self._built: dict[tuple[str, ...], Stage] = {}
        self._shards: dict[str, dict[str, Any] | None] = {}

    def shards(self, split: str) -> dict[str, Any] | None:
        """List the shards of a split; read once, when first asked for."""
        if split not in self._shards:
            self._shards[split] = shards_of(self.experiment, split)
        return self._shards[split]

    def _once(self, key: tuple[str, ...], build: Callable[[], Stage]) -> Stage:
        if key not in self._built:
            self._built[key] = build()
        return self._built[key]

    def _words(self, verb: str, name: str, *options: str) -> tuple[str, ...]:
        return (verb, self.recipe.name, name, *options)

    def train(self, name: str) -> Stage:
        """trained.weights.h5, from records and the teacher's soft labels."""
        return self._once(("train", name), lambda: self._train(name))

    def _train(self, name: str) -> Stage:
        member, run = self.recipe.member(name), self.experiment.run(name)
        initial = self.initial(member)
        is_foreign = "/" in (member.initial or "")
        needs = (self.distill(member.teacher),) if member.teacher else ()
        return Stage(
            self.experiment,
            self.shards,
            self._words("train", name),
            run.trained,
            partials=(run.checkpoints,),
            needs=needs if initial is None or is_foreign else (*needs, initial),
            others={"initial": {member.initial: initial.identity()}} if initial and is_foreign else {},
            reads=("train", "validate") if member.validate_steps else ("train",),
            settings=member.training_settings(),
        )

    def initial(self, member: Member) -> Stage | None:
        """The final weights that a member's training starts from, None without. Raises as of_other_recipe."""
        if member.initial is None:
            return None
        if "/" in member.initial:
            return of_other_recipe(self.experiment, member.initial)
        return self.average(member.initial)

    def average(self, name: str) -> Stage:
        """averaged.weights.h5, from the trained weights; averaging checkpoints also reads records."""
        return self._once(("average", name), lambda: self._average(name))

    def _average(self, name: str) -> Stage:
        member, run = self.recipe.member(name), self.experiment.run(name)
        averaged = member.average is not None
        return Stage(
            self.experiment,
            self.shards,
            self._words("average", name),
            run.averaged,
            sides=(run.average,) if averaged else (),
            partials=(run.path / "ema",) if isinstance(member.average, Ema) else (),
            needs=(self.train(name),),
            reads=("train", "validate") if averaged else (),
            shared=("train",) if averaged else (),
            settings=member.frozen() if averaged else {"average": member.frozen()["average"]},
        )

    def weight_scores(self, name: str, split: str = "validate") -> Stage:
        """SPLIT.weights.json and the probabilities of a member's float model."""
        return self._once(("weight_scores", name, split), lambda: self._weight_scores(name, split))

    def _weight_scores(self, name: str, split: str) -> Stage:
        member, run = self.recipe.member(name), self.experiment.run(name)
        return Stage(
            self.experiment,
            self.shards,
            self._words("evaluate", name, *_split_option(split, "validate")),
            run.evaluation(split, "weights"),
            sides=(run.probabilities(split),),
            content=run.probabilities(split),
            needs=(self.average(name),),
            reads=(split,),
            settings={"family": member.family, "hyperparameters": dict(member.hyperparameters)},
        )

    def graph_scores(self, name: str, split: str = "validate") -> Stage:
        """SPLIT.graph.json: scores of the exported graph."""
        run = self.experiment.run(name)
        return self._once(
            ("graph_scores", name, split),
            lambda: Stage(
                self.experiment,
                self.shards,
                self._words("evaluate", name, *_split_option(split, "validate")),
                run.evaluation(split, "graph"),
                needs=(self.export(name),),
                reads=(split,),
            ),
        )

    def ensemble(self, name: str) -> Stage:
        """ensemble.json: the weights of a blend, from its members' validation probabilities."""
        return self._once(("ensemble", name), lambda: self._ensemble(name))

    def _ensemble(self, name: str) -> Stage:
        blend = self.recipe.ensemble(name)
        alone = len(blend.members) == 1
        settings: dict[str, Any] = {"members": list(blend.members)}
        if not alone:
            settings["weights"] = list(blend.weights) if blend.weights else None
        if not alone and blend.weights is None:
            settings |= {"codec": blend.codec, "limit": blend.limit, "rounds": blend.rounds}
        return Stage(
            self.experiment,
            self.shards,
            self._words("ensemble", name),
            self.experiment.run(name).ensemble,
            needs=tuple((self.average if alone else self.weight_scores)(member) for member in blend.members),
            shared=() if alone else ("validate",),
            settings=settings,
        )

    def _blended(self, name: str) -> tuple[Stage, ...]:
        """Stages that determine the members of a graph and their weights."""
        members = self.recipe.ensemble(name).members
        if name in self.recipe.members:
            return (self.average(name),)
        run = self.experiment.run(name)
        if run.ensemble.exists():
            with suppress(KitError):  # damage is reported where the file is used
                members = tuple(self.experiment.shares(name))
        return (self.ensemble(name), *(self.average(member) for member in members))

    def quantize(self, name: str) -> Stage:
        """plan.json: the format of every tensor, and calibrated codes, of a mixed or calibrated ensemble."""
        return self._once(("quantize", name), lambda: self._quantize(name))

    def _quantize(self, name: str) -> Stage:
        blend, run = self.recipe.ensemble(name), self.experiment.run(name)
        settings = {key: getattr(blend, key) for key in ("codec", "calibrated", "limit", "rounds")}
        return Stage(
            self.experiment,
            self.shards,
            self._words("quantize", name),
            run.plan,
            sides=tuple(run.codes(member) for member in blend.members) if blend.calibrated else (),
            needs=self._blended(name),
            reads=("train",),
            settings=settings,
        )

    def export(self, name: str, *, format: str = "graph") -> Stage:
        """The graph folder, graph.tgz, graph.tflite or graph.onnx: the blend with its weights as codes."""
        return self._once(("export", name, format), lambda: self._export(name, format))

    def _export(self, name: str, format: str) -> Stage:
        blend, run = self.recipe.ensemble(name), self.experiment.run(name)
        on_phone = format == "litert"  # which has codes of its own
        has_labels = format in ("litert", "onnx")
        planned = (self.quantize(name),) if blend.is_measured and not on_phone else ()
        models = {
            member: {"family": each.family, "hyperparameters": dict(each.hyperparameters)}
            for member in blend.members
            for each in [self.recipe.member(member)]
        }
        keys = ("limit", "rounds") if on_phone else ("codec", "calibrated", "limit", "rounds")
        settings: dict[str, Any] = {key: getattr(blend, key) for key in keys} | {"models": models}
        if on_phone:
            settings["bits"] = litert_bits(blend.codec)
        elif blend.arithmetic != "float32":
            settings["arithmetic"] = blend.arithmetic
        return Stage(
            self.experiment,
            self.shards,
            self._words("export", name, *([] if format == "graph" else [f"--format={format}"])),
            {"graph": run.graph, "tgz": run.archive, "litert": run.litert, "onnx": run.onnx}[format],
            sides=(run.export,) if format == "graph" else (),
            needs=self._blended(name) + planned,
            settings=settings,
            others={"vocabulary": _digest(self.experiment.data / vocabulary.FILE)} if has_labels else {},
        )

    def predict(self, name: str, split: str = "test") -> Stage:
        """submission.csv, or of another split predictions.SPLIT.csv."""
        run = self.experiment.run(name)
        return self._once(
            ("predict", name, split),
            lambda: Stage(
                self.experiment,
                self.shards,
                self._words("predict", name, *_split_option(split, "test")),
                run.predictions(split),
                partials=(run.predicted_shards(split),),
                needs=(self.export(name),),
                reads=(split,),
            ),
        )

    def own_format(self, name: str, split: str = "test") -> Stage:
        """submission.ENDING, in the recipe's own format, from the CSV. Raises UsageError without a format."""
        submission, run = self.recipe.submission, self.experiment.run(name)
        if submission is None:
            raise UsageError(
                f"recipe {self.recipe.name} has no format of its own: Recipe(submission=Submission(...))."
            )
        return Stage(
            self.experiment,
            self.shards,
            self._words("predict", name, *_split_option(split, "test"), OWN_FORMAT),
            run.predictions(split).with_suffix(submission.ending),
            needs=(self.predict(name, split),),
            settings={"submission": submission.sources()},
            others={"vocabulary": _digest(self.experiment.data / vocabulary.FILE) or "none"},
        )

    def distill(self, teacher: str, top: int | None = None) -> Stage:
        """The index of a teacher's soft labels for the train split; top: None for any number."""
        run = self.experiment.run(teacher)
        return self._once(
            ("distill", teacher, str(top)),
            lambda: Stage(
                self.experiment,
                self.shards,
                self._words("distill", teacher),
                run.soft_label_index,
                partials=(run.soft_labels,),
                needs=(self.export(teacher),),
                reads=("train",),
                others={"top": top},
            ),
        )

    def segments(self, name: str, split: str = "validate") -> Stage:
        """segments.SPLIT.csv, from the exported graph, else from a member's weights."""
        run = self.experiment.run(name)
        exported = run.graph.exists() or name not in self.recipe.members
        return Stage(
            self.experiment,
            self.shards,
            self._words("segments", name, *_split_option(split, "validate")),
            run.segments(split),
            needs=(self.export(name) if exported else self.average(name),),
            reads=(split,),
            others={"vocabulary": _digest(self.experiment.data / vocabulary.FILE)},
        )

    def submit(self, name: str) -> Stage:
        """score.json: the CSV on the local board."""
        return self._once(
            ("submit", name),
            lambda: Stage(
                self.experiment,
                self.shards,
                self._words("submit", name),
                self.experiment.run(name).score,
                needs=(self.predict(name),),
                others={"truth": _digest(self.experiment.data / "test_truth.csv")},
            ),
        )

    def leading_to(self, last: Iterable[Stage]) -> list[Stage]:
        """Sort these stages and all that they need topologically, each once."""
        return sorted_by_needs(last)


def _split_option(split: str, default: str) -> list[str]:
    return [] if split == default else [f"--split={split}"]


def _digest(path: DataPath) -> str | None:
    return digest(path) if path.exists() else None
