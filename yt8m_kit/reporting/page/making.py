"""What made the runs of a recipe: settings, stages with their times, software and machine."""

from collections.abc import Mapping, Sequence
from typing import Any

from yt8m_kit.errors import KitError
from yt8m_kit.output import progress
from yt8m_kit.output.progress import amount, duration
from yt8m_kit.pipeline.stage import Stage
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.run import Experiment


def stage_rows(stages: Stages, split: str) -> list[dict[str, Any]]:
    """A row for each product that exists and has a record: date, times, bytes read and written, machine."""
    recipe = stages.recipe
    members = [stage for name in recipe.members for stage in _of_member(stages, name, split)]
    ensembles = [stage for name in recipe.ensembles for stage in _of_ensemble(stages, name, split)]
    found = {stage.main: stage for stage in [*members, *ensembles]}
    return [row for stage in found.values() if (row := _row(stage))]


def _of_member(stages: Stages, name: str, split: str) -> Sequence[Stage]:
    own = (stages.train(name), stages.average(name), stages.weight_scores(name, split))
    return (*own, *_of_graph(stages, name, split))


def _of_ensemble(stages: Stages, name: str, split: str) -> Sequence[Stage]:
    measured = (stages.quantize(name),) if stages.recipe.ensemble(name).is_measured else ()
    return (stages.ensemble(name), *measured, *_of_graph(stages, name, split))


def _of_graph(stages: Stages, name: str, split: str) -> Sequence[Stage]:
    return stages.export(name), stages.graph_scores(name, split), stages.predict(name), stages.submit(name)


def _row(stage: Stage) -> dict[str, Any] | None:
    try:
        record = stage.made() if stage.main.exists() else None
    except KitError as error:
        progress.say(str(error))
        return None
    if record is None:
        return None
    cpu, read = record.cpu_seconds, record.bytes_read
    return {
        "name": stage.words[2],
        "stage": stage.verb,
        "product": stage.main.name,
        "made": record.local_time,
        "wall": duration(record.seconds),
        "cpu": "" if cpu is None else duration(cpu),
        "read": "" if read is None else amount(read),
        "written": amount(record.size),
        "kit": record.kit,
        "commit": record.environment.get("commit", ""),
        "machine": described(record.environment),
    }


def described(environment: Mapping[str, Any]) -> str:
    """Versions and machine of a record's environment, without the commit."""
    facts = [f"{name} {value}" for name, value in environment.items() if name != "commit"]
    return ", ".join(facts)


def settings(experiment: Experiment) -> list[dict[str, Any]]:
    """Settings of each member and ensemble: name, kind and pairs of setting and value as text."""
    recipe = experiment.recipe
    found = []
    for name, member in recipe.members.items():
        values = {key: getattr(member, key) for key in member.__dataclass_fields__}
        found.append({"name": name, "kind": "member", "settings": _pairs(values)})
    for name, ensemble in recipe.ensembles.items():
        values = {key: getattr(ensemble, key) for key in ensemble.__dataclass_fields__}
        found.append({"name": name, "kind": "ensemble", "settings": _pairs(values)})
    return found


def _pairs(values: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _text(value)) for name, value in values.items() if _is_set(value)]


def _is_set(value: Any) -> bool:
    return value is not None and value not in ({}, ())


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
