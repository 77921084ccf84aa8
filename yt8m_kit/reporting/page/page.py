"""Write the report page: collect tables and chart data, and fill the template."""

import functools
import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from yt8m_kit import __version__
from yt8m_kit.output import progress
from yt8m_kit.output.files import write_text
from yt8m_kit.output.provenance import now
from yt8m_kit.output.tables import Row
from yt8m_kit.pipeline.effort import environment
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.reporting.page import blends, curves, labels, making, scores, sizes, storage, videos
from yt8m_kit.run import Experiment

EXTRA = ("jinja2", "vl_convert")
DIGITS = 5  # significant, of the numbers in charts
TEMPLATES = resources.files("yt8m_kit.reporting.page") / "templates"


def write_or_advise(experiment: Experiment, rows: Sequence[Row], split: str) -> Path | None:
    """Write RUNS/RECIPE/report.html, name it on stderr and return its path.

    One file without references to others: style, scripts, charts' data and the Vega runtime are in it.
    rows: of report.figures. Without the extra `report`, only says what to install.
    """
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        progress.say(
            f"report.html is not written, for it needs {' and '.join(missing)}; install them: pip install "
            "'yt8m-kit[report]' (in a checkout: .venv/bin/pip install -c constraints.txt -e '.[report]')"
        )
        return None
    path = experiment.runs / experiment.recipe.name / "report.html"
    write_text(path, render(contents(experiment, rows, split)))
    progress.say(f"report: {path}")
    return path


def contents(experiment: Experiment, rows: Sequence[Row], split: str) -> dict[str, Any]:
    """Variables of the template: tables, and the rows of each chart by its name."""
    stages, recipe = Stages(experiment), experiment.recipe
    charts: dict[str, Sequence[Mapping[str, Any]]] = {
        "training": curves.training_curves(stages),
        "validation": curves.validation_curves(stages, split),
        "size": sizes.sizes(stages, rows),
        "codec": storage.codec_losses(stages, rows),
        "format": storage.format_errors(stages),
        "bits": storage.tensor_bits(stages, [row["name"] for row in rows]),
    }
    made = making.stage_rows(stages, split)
    predicted = _predicted(stages, rows, split)
    charts |= predicted.pop("charts", {})
    return {
        "recipe": recipe,
        "split": split,
        "made": now(),
        "version": __version__,
        "environment": environment(),
        "members": [row["name"] for row in rows if row["name"] in recipe.members],
        "score_table": scores.score_table(recipe, rows),
        "settings": making.settings(experiment),
        "stage_table": made,
        "machines": list(dict.fromkeys(row["machine"] for row in made if row["machine"])),
        "charts": {name: _columns(found) for name, found in charts.items() if found},
        **predicted,
    }


def _predicted(stages: Stages, rows: Sequence[Row], split: str) -> dict[str, Any]:
    """What is computed from kept probabilities: of the blend or member with the highest GAP@20."""
    found = blends.predicted(stages, split)
    if found is None:
        return {}
    best, shares = _best(stages, rows, found)
    names = labels.Names(stages.experiment.data, stages.recipe.dataset.classes)
    counts, source = labels.training_videos(stages, names)
    mixed = found.mix(shares)
    precisions = labels.precisions(mixed, found.truth, names, counts)
    return {
        "best": best,
        "videos": len(found.ids),
        "counted": source,
        "best_labels": precisions[: labels.LISTED],
        "worst_labels": precisions[labels.LISTED :][-labels.LISTED :][::-1],
        "confused": labels.confused(mixed, found.truth, names),
        "misses": videos.misses(found.ids, mixed, found.truth, names, stages.recipe.dataset),
        "charts": {
            "agreement": blends.agreement(found),
            "left_out": blends.left_out(stages, found),
            "labels": precisions,
            "verticals": labels.verticals(precisions),
            "reliability": labels.reliability(found, best, mixed),
        },
    }


def _best(stages: Stages, rows: Sequence[Row], found: blends.Predicted) -> tuple[str, Mapping[str, float]]:
    """Name and shares of the blend or member of the highest GAP@20, of those whose members are in `found`."""
    for row in sorted(rows, key=lambda row: -row["GAP@20"]):
        shares = blends.shares_of(stages, row["name"])
        if shares and shares.keys() <= found.read.keys():
            return row["name"], shares
    name = next(iter(found.read))
    return name, {name: 1.0}


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of equal or different keys as columns, numbers rounded: a third of the bytes."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_rounded(row.get(name)) for row in rows] for name in names}


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def render(variables: Mapping[str, Any]) -> str:
    """Fill the template with its variables, charts' specifications and the Vega runtime."""
    import jinja2

    loader = jinja2.PackageLoader("yt8m_kit.reporting.page")
    templates = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    specifications = {
        path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((TEMPLATES / "charts").iterdir(), key=lambda path: path.name)
    }
    data = {"members": variables["members"], "charts": variables["charts"], "specs": specifications}
    return templates.get_template("report.html").render(
        **variables,
        style=_file("style.css"),
        script=_file("page.js"),
        vega=_vega(),
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; takes a second to build."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", "<\\/script")


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
