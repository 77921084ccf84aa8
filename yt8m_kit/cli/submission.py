"""Verbs that submit a CSV and keep its scores."""

from pathlib import Path
from typing import Literal

from yt8m_kit.cli.places import experiment
from yt8m_kit.cli.process.facts import print_facts
from yt8m_kit.errors import UsageError
from yt8m_kit.output.facts import form_of
from yt8m_kit.stores.path import DataPath


def submit(
    recipe: str,
    name: str,
    *,
    to: Literal["local", "kaggle"] = "local",
    message: str | None = None,
    wait: bool = True,
    dry_run: bool = False,
    again: bool = False,
    anew: bool = False,
    data: DataPath | None = None,
    runs: Path | None = None,
) -> Path:
    """Check the CSV, then score it on the local board, or submit it to Kaggle and await its score.

    Interrupted, the same command resumes. Exit codes from 3 on: see docs/faults.md.

    to: local scores it by DATA/test_truth.csv, kaggle submits it.
    message: the description of a submission to Kaggle.
    wait: for the score of Kaggle.
    dry_run: check all that can be checked and send nothing.
    again: submit a file once more that was submitted before.
    """
    given = experiment(recipe, data, runs)
    if to == "local":
        if message is not None or again:
            raise UsageError("--message and --again go with --to=kaggle; the local board takes neither.")
        from yt8m_kit.evaluation.local_board import submit_locally

        return submit_locally(given, name, dry_run=dry_run, anew=anew)
    from yt8m_kit.submission.kaggle.submit import submit

    return submit(given, name, message=message, wait=wait, dry_run=dry_run, again=again)


def submissions(*, kaggle: bool = False, tsv: bool = False, json: bool = False) -> None:
    """List what was submitted to Kaggle, with scores.

    kaggle: ask for scores that are pending.
    """
    from yt8m_kit.submission import ledger

    form = form_of(tsv=tsv, json=json)
    if kaggle:
        from yt8m_kit.submission.kaggle.await_score import refresh

        refresh()
    found = ledger.history()
    if form == "text" and not found.rows:
        print(f"no submissions yet; {ledger.path()} will list them")
    else:
        print_facts(form, submissions=found)


def leaderboard(*, kaggle: bool = False, tsv: bool = False, json: bool = False) -> Path | None:
    """Regenerate the score table submissions/README.md.

    kaggle: print the live board as well.
    tsv: print the table as tab-separated values in full, in place of its path.
    json: print the table as JSON, in place of its path.
    """
    from yt8m_kit.reporting.leaderboard import leaderboard, live_board, rank_line, scores

    form = form_of(tsv=tsv, json=json)
    live = {}
    if kaggle:
        from yt8m_kit.dataset import YOUTUBE8M_2018
        from yt8m_kit.submission.kaggle.client import Client

        teams = Client.connect(str(YOUTUBE8M_2018.competition)).board()
        live["board"] = live_board(teams)
    path = leaderboard()
    if form != "text":
        print_facts(form, ensembles=scores(), **live)
        return None
    if live:
        print_facts(form, **live)
        print(rank_line(teams))
    return path
