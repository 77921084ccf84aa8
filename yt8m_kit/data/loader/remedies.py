"""What to change where records differ from their Dataset, by the reasons for which they are skipped."""

import re
from collections import Counter
from collections.abc import Iterable

CLASSES_2017, CLASSES_2018 = 4716, 3862  # of YouTube-8M's two vocabularies
_BEYOND = re.compile(r"labels holds (\d+); expected 0 to (\d+)")
_REMEDIES = (
    (r"labels is a vector", "Write the numbers of a video's classes in place of zeros and ones."),
    (r"id is missing", "Name the key of the ids in id_keys of the recipe's Dataset."),
    (
        r"feature .* is missing|.* has \d+ (bytes|floats|values); expected",
        "Correct the names and widths of features in the recipe's Dataset.",
    ),
    (r"the teacher has no soft labels", "Distill the teacher again."),
    (r"", "`yt8m verify` names the bad records."),
)


def remedy(reasons: Iterable[str]) -> str:
    """One sentence: what to change for the most frequent kind of these reasons."""
    reasons = list(reasons)
    [(kind, _)] = Counter(map(_kind, reasons)).most_common(1)
    return kind or _more_classes(reasons)


def _kind(reason: str) -> str:
    """The remedy of a reason; empty where it depends on all of them, for labels out of range."""
    if _BEYOND.match(reason):
        return ""
    return next(text for pattern, text in _REMEDIES if re.match(pattern, reason))


def _more_classes(reasons: Iterable[str]) -> str:
    beyond = [(int(found[1]), int(found[2]) + 1) for reason in reasons if (found := _BEYOND.match(reason))]
    highest, classes = max(beyond)
    if is_vocabulary_of_2017(highest, classes):
        return (
            f"The labels are those of the 2017 vocabulary ({CLASSES_2017:,} classes), which numbers other "
            f"classes: take the records of 2018, or set classes={CLASSES_2017} in the recipe's Dataset."
        )
    from_one = ", or number the labels from 0 if they begin at 1" if highest == classes else ""
    return f"Set classes in the recipe's Dataset to at least {highest + 1}{from_one}."


def is_vocabulary_of_2017(highest: int, classes: int) -> bool:
    """Whether a label tells that records for the 2018 vocabulary have that of 2017."""
    return classes == CLASSES_2018 <= highest < CLASSES_2017
