"""Submission of a CSV to Kaggle: checks, exactly-once submission, results.csv, score."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from yt8m_kit import trial
from yt8m_kit.data.loader import splits
from yt8m_kit.errors import KitError, UsageError
from yt8m_kit.output import progress
from yt8m_kit.output.provenance import read_record
from yt8m_kit.pipeline.job import csv_of, read_or_warn
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Recipe
from yt8m_kit.run import Experiment, Run
from yt8m_kit.stores.path import DataPath
from yt8m_kit.submission import ledger
from yt8m_kit.submission.csv_reader import check
from yt8m_kit.submission.kaggle import await_score
from yt8m_kit.submission.kaggle.attempt import SubmissionAttempt, submit_once
from yt8m_kit.submission.kaggle.client import Client

MESSAGE = 200  # characters


def submit(
    experiment: Experiment,
    name: str,
    *,
    message: str | None = None,
    wait: bool = True,
    dry_run: bool = False,
    again: bool = False,
) -> Path:
    """Submit submission.csv and wait for its score; returns the path of results.csv, with dry_run the CSV's.

    Resumes an interrupted upload or wait. Before any request, raises UsageError for a file that was
    submitted before, unless `again`, and KitError for a malformed one; then KaggleError by kind, see
    docs/faults.md.
    """
    recipe, run = experiment.recipe, experiment.run(name)
    competition, message = _competition(recipe), _message(message, recipe.name, name)
    stages = Stages(experiment)
    csv_of(stages.predict(name))
    with run.alone(("submit", recipe.name, name)):
        check(run.submission, recipe.dataset.classes, _videos(experiment.data))
        sha256 = ledger.sha256(run.submission)
        _refuse_trials(experiment.runs, run.submission, sha256)
        attempt = SubmissionAttempt.of(run, sha256, competition)
        ref = _known(sha256, again=again or attempt.begun)
        client = Client.connect(competition)
        if dry_run:
            client.check_rules()
            progress.say(f"all checks passed, submissions left: {client.check_quota()}; nothing was sent")
            return run.submission
        if not ref:
            known = _known_figures(stages, name, sha256)
            ref = submit_once(client, run.submission, attempt, message)
            ledger.upsert(_row(recipe.name, name, run, sha256, ref) | known)
        attempt.forget()
    if wait:
        await_score.wait(client, ref)
    return ledger.path()


def _refuse_trials(runs: Path, csv: Path, sha256: str) -> None:
    """Raise UsageError if the file is a trial's, by the intact records of all trials."""
    for path in sorted((runs / trial.FOLDER).glob(f"*/*/provenance/{csv.name}.json")):
        try:
            record = read_record(path)
        except KitError:
            continue
        if record and record.files.get(csv.name, ("",))[0] == sha256:
            raise UsageError(
                f"{csv} is the prediction of a trial ({trial.limits_in(record.sources['settings'])}) in "
                f"{path.parents[1]}; trials are not submitted. Predict without these options."
            )


def _competition(recipe: Recipe) -> str:
    if recipe.dataset.competition is None:
        raise UsageError(
            f"recipe {recipe.name} is on {recipe.dataset.name}, which is no Kaggle competition; "
            "use --to=local."
        )
    if recipe.submission is not None:
        raise UsageError(
            f"recipe {recipe.name} has a format of its own, and --to=kaggle sends YouTube-8M's CSV; upload "
            f"submission{recipe.submission.ending} on the competition's page."
        )
    return recipe.dataset.competition


def _message(message: str | None, recipe: str, name: str) -> str:
    message = " ".join((message or f"{recipe} {name} {ledger.commit()}").split())
    if len(message) > MESSAGE:
        raise UsageError(f"--message must be at most {MESSAGE} characters; got {len(message)}.")
    return message


def _videos(data: DataPath) -> int | None:
    """Number of test videos; None, with a message, if there are no test shards."""
    try:
        return splits.count(splits.find(data, "test"))
    except UsageError:
        progress.say(f"row count not checked: no test shards in {data}")
        return None


def _known(sha256: str, *, again: bool) -> int:
    """Number of this file's pending submission; 0 if the file is to be submitted.

    Raises UsageError for a file that was scored before, unless `again`.
    """
    rows = ledger.read()
    same = rows[rows.sha256 == sha256]
    pending = same[same.status == "pending"]
    if len(pending):
        return int(pending.ref.iloc[-1])
    if len(same) and not again:
        last = same.iloc[-1]
        scores = f", public {last.public}, private {last.private}" if last.status == "complete" else ""
        raise UsageError(
            f"this file was submitted on {last.date[:10]}: submission {last.ref}, {last.status}{scores}. "
            "Use --again to submit it once more."
        )
    return 0


def _known_figures(stages: Stages, name: str, sha256: str) -> dict[str, Any]:
    """Bytes of the exported model, and the CSV's score on the local board; None where not known."""
    exported = read_or_warn(stages.export(name), stages.experiment.run(name).export)
    local = read_or_warn(stages.submit(name))
    return {
        "model_bytes": exported.get("bytes"),
        "local": local.get("all") if local.get("sha256") == sha256 else None,
    }


def _row(recipe: str, name: str, run: Run, sha256: str, ref: int) -> dict[str, Any]:
    """Row of results.csv for a new submission."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": ledger.commit(),
        "recipe": recipe,
        "ensemble": name,
        "bytes": run.submission.stat().st_size,
        "sha256": sha256,
        "ref": ref,
        "status": "pending",
    }
