"""Verbs that list recipes, members, ensembles, stages and sizes."""

from functools import partial
from pathlib import Path

from yt8m_kit import backend
from yt8m_kit.cli.places import experiment, runs_place
from yt8m_kit.cli.process.facts import print_blocks, print_facts
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output.facts import Form, Table, form_of
from yt8m_kit.output.tables import Row
from yt8m_kit.recipe import load, names
from yt8m_kit.stores.path import DataPath


def recipes(*, tsv: bool = False, json: bool = False) -> None:
    """List the recipes with their members and ensembles, and the mistakes in those that cannot be loaded."""
    form = form_of(tsv=tsv, json=json)
    table = Table([_recipe(name) for name in names()])
    if form == "text":
        print_blocks(table, "".join(map(_described, table.rows)))
    else:
        print_facts(form, recipes=table)
    if broken := [row["recipe"] for row in table.rows if row["mistake"]]:
        raise KitError(f"recipes that cannot be loaded: {', '.join(broken)}.")


def _recipe(name: str) -> Row:
    row: Row = {"recipe": name, "description": None, "members": [], "ensembles": [], "mistake": None}
    try:
        recipe = load(name)
    except UsageError as error:
        return row | {"mistake": str(error)}
    parts = {"members": list(recipe.members), "ensembles": list(recipe.ensembles)}
    return row | {"description": recipe.description} | parts


def _described(row: Row) -> str:
    if row["mistake"]:
        return f"{row['recipe']}: cannot be loaded: {row['mistake']}\n"
    members, ensembles = (", ".join(row[kind]) or "none" for kind in ("members", "ensembles"))
    return f"{row['recipe']}: {row['description']}\n  members: {members}\n  ensembles: {ensembles}\n"


def members(recipe: str, ensemble: str | None = None, *, tsv: bool = False, json: bool = False) -> None:
    """Print the members of an ensemble, or all of the recipe, one per line.

    ensemble: an ensemble of the recipe.
    """
    loaded, form = load(recipe), form_of(tsv=tsv, json=json)
    chosen = loaded.ensemble(ensemble).members if ensemble else loaded.members
    rows = [
        {"member": name, "family": loaded.members[name].family, "teacher": loaded.members[name].teacher}
        for name in chosen
    ]
    _print_list(form, "member", rows)


def ensembles(recipe: str, *, tsv: bool = False, json: bool = False) -> None:
    """Print the ensembles of a recipe, one per line."""
    loaded, form = load(recipe), form_of(tsv=tsv, json=json)
    rows = [
        {"ensemble": name, "codec": each.codec, "limit": each.limit, "members": list(each.members)}
        for name, each in loaded.ensembles.items()
    ]
    _print_list(form, "ensemble", rows)


def stages(
    recipe: str, name: str, *, runs: Path | None = None, tsv: bool = False, json: bool = False
) -> None:
    """Print the stages that lead to a member or ensemble, teachers before students."""
    from yt8m_kit.pipeline.goals import last_stages
    from yt8m_kit.pipeline.stages import Stages

    form, known = form_of(tsv=tsv, json=json), Stages(experiment(recipe, runs=runs, reads=False))
    last = last_stages(known, (name,), ("evaluate", "submit"))
    rows = [{"stage": " ".join(stage.words), "product": str(stage.main)} for stage in known.leading_to(last)]
    _print_list(form, "stage", rows)


def _print_list(form: Form, first: str, rows: list[Row]) -> None:
    """Print rows; as text only their first column, one per line."""
    if form == "text":
        print("\n".join(row[first] for row in rows))
    else:
        print_facts(form, rows=Table(rows))


def check(
    recipe: str,
    *,
    quick: bool = False,
    data: DataPath | None = None,
    runs: Path | None = None,
    tsv: bool = False,
    json: bool = False,
) -> None:
    """Compare sizes with the published ones; --quick runs one batch through every stage.

    --quick takes every member at its real size through train, average, evaluate, export and predict, and
    blends every ensemble from its two smallest members, on synthesized records unless --data is given. It
    prints the seconds of each stage and stops at the first failure. Its files are deleted at the end.

    quick: run every stage on a few videos, instead of comparing sizes.
    data: the records; else $YT8M_DATA, else data/DATASET. With --quick: real records for it, else synthesized
    ones.
    runs: folder of the files of --quick while it runs; else $YT8M_RUNS, else runs.
    """
    form = form_of(tsv=tsv, json=json)
    if quick:
        if form != "text":
            raise UsageError(f"check --quick prints text as it goes; leave out --{form}.")
        loaded = load(recipe)
        backend.start("tensorflow")
        from yt8m_kit.reporting.quick_check import quick_check

        return quick_check(loaded, runs_place(runs), data, partial(print, flush=True))
    given = experiment(recipe, data)
    backend.start()
    from yt8m_kit.reporting.check import check, found_line

    members, ensembles, splits, wrong = check(given.recipe, given.data)
    if form == "text":
        print_facts(form, members=members, ensembles=ensembles)
        print("\n".join(["", *map(found_line, splits.rows)]))
    else:
        print_facts(form, members=members, ensembles=ensembles, splits=splits)
    if wrong:
        raise KitError(f"recipe {recipe} differs from what was published: {'; '.join(wrong)}.")
