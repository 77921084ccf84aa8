"""Small trials, and what is asked of the command line itself."""

from tools.first_hour.case import Case, Place

TITLE = "Small trials"
LIMITS = "--steps=2 --limit_videos=8"
STAGES = "for verb in train average export predict; do yt8m $verb tiny logistic {} || exit; done; "


def indivisible(place: Place) -> None:
    """A hyperparameter that the family rejects for these features."""
    place.edit('"student": Member("frame_logistic", ', '"student": Member("hg_nl", {"reduction": 7}, ')


CASES = (
    Case("no step", "yt8m train tiny logistic --steps=0", 2, "--steps must be at least 1; got 0"),
    Case("steps in words", "yt8m train tiny logistic --steps=few", 2, "--steps must be a whole number"),
    Case(
        "a single video",
        "yt8m predict tiny logistic --limit_videos=1",
        2,
        "--limit_videos must be at least 2",
    ),
    Case("a trial submitted", f"yt8m run tiny logistic --to=submit {LIMITS}", 2, "a trial is not submitted"),
    Case(
        "a trial's CSV looked for in the real run",
        f"{STAGES.format(LIMITS)}yt8m submit tiny logistic",
        2,
        "submission.csv is missing; run: yt8m predict tiny logistic",
        at_once=False,
    ),
    Case(
        "trials taken for runs",
        f"yt8m train tiny logistic {LIMITS} && yt8m average tiny logistic --runs=runs/trials",
        2,
        "trial was {'steps': 2, 'limit_videos': 8}, is now not set",
        at_once=False,
    ),
    Case(
        "other limits in a later stage",
        f"yt8m train tiny logistic {LIMITS} && yt8m average tiny logistic --steps=2 --limit_videos=9",
        2,
        "trial.limit_videos was 8, is now 9",
        at_once=False,
    ),
    Case(
        "an ensemble over its limit, which the last stage would find",
        "yt8m check tiny --quick",
        1,
        "recipe tiny, tight, size: ensemble tight is 165,592 bytes as uint8",
        at_once=False,
    ),
    Case(
        "a hyperparameter that does not fit the features",
        "yt8m check tiny --quick",
        2,
        "member student: features must be divisible by reduction; got 1152, reduction=7",
        indivisible,
    ),
    Case("help of a verb", "yt8m predict --help", 0, "--limit_videos=NUMBER"),
    Case("the choices of an argument", "yt8m predict --help", 0, "one of train, validate, test"),
    Case("the version", "yt8m --version | grep -E '^[0-9]+[.][0-9]+[.][0-9]+'", 0, "."),
)
