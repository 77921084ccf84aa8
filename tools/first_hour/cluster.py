"""Engines, parts and clusters that are not there."""

from tools.first_hour.case import Case, Place

TITLE = "Several stages at a time"
RUN = "yt8m run tiny logistic"


def without_ray(place: Place) -> None:
    """A kit without its extra."""
    (place.root / "sitecustomize.py").write_text(
        "import importlib.util as util\nfind = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'ray' else find(name, *more)\n"
    )


CASES = (
    Case("no job at all", f"{RUN} --jobs=0", 2, "--jobs must be a whole number (at least 1); got 0."),
    Case("jobs in words", f"{RUN} --jobs=all", 2, "--jobs must be a whole number; got 'all'."),
    Case("an unknown engine", f"{RUN} --engine=slurm", 2, "--engine must be one of local, ray; got 'slurm'."),
    Case(
        "a cluster's address without its engine",
        f"{RUN} --address=node1",
        2,
        "--address and --gpus_per_train go with --engine=ray.",
    ),
    Case(
        "jobs on a cluster",
        f"{RUN} --engine=ray --jobs=4",
        2,
        "--jobs goes with --engine=local; Ray runs as many stages as the cluster has room for.",
    ),
    Case(
        "Ray without the extra",
        f"PYTHONPATH=.:$PYTHONPATH {RUN} --engine=ray",
        2,
        "--engine=ray needs the extra ray: pip install 'yt8m-kit[ray]'.",
        without_ray,
    ),
    Case(
        "a part out of range",
        "yt8m predict tiny logistic --part=3/2",
        2,
        "--part must be K/N with 1 <= K <= N, as in 2/4; got '3/2'.",
    ),
    Case(
        "a part made anew",
        "yt8m distill tiny logistic --part=1/2 --anew",
        2,
        "--anew starts a whole product over; run it without --part.",
    ),
    Case(
        "one that fails among several",
        "yt8m run tiny runaway logistic --to=train --jobs=2",
        1,
        "failed: yt8m train tiny runaway.",
        at_once=False,
    ),
)
