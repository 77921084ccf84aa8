"""Mistakes in a recipe."""

from collections.abc import Callable

from tools.first_hour.case import Case, Place

TITLE = "Recipes"
MEMBERS = "yt8m members tiny"
TRAIN = "yt8m train tiny logistic"
LOGISTIC = 'Member("frame_logistic", batch_size=16, steps=20, learning_rate=1e-2)'
SIZES = 'NETVLAD = {"clusters": 4, "hidden": 8, "draws": 8}'


def _edited(old: str, new: str) -> Callable[[Place], None]:
    return lambda place: place.edit(old, new)


def _logistic(settings: str) -> Callable[[Place], None]:
    return _edited(LOGISTIC, f'Member("frame_logistic", {settings})')


def _netvlad(sizes: str) -> Callable[[Place], None]:
    return _edited(SIZES, f"NETVLAD = {{{sizes}}}")


def _another(place: Place) -> None:
    (place.recipes / "broken.py").write_text("import os\nimport yt8m_kti\n", encoding="utf-8")


OWN = "from dataclasses import replace\n\nDEMO = replace(DEMO, features=('rgb', 4))\n"
BLEND = 'Ensemble(("logistic", "netvlad"), rounds=2)'

CASES = (
    Case(
        "a syntax error",
        MEMBERS,
        2,
        "tiny.py, line 9: SyntaxError",
        _edited("RECIPE = Recipe(", "RECIPE = ("),
    ),
    Case(
        "an import that fails",
        MEMBERS,
        2,
        "tiny.py, line 3: ModuleNotFoundError: No module named 'yt8m_kti'",
        _edited("from yt8m_kit.dataset", "from yt8m_kti.dataset"),
    ),
    Case(
        "an exception",
        MEMBERS,
        2,
        "tiny.py, line 6: ZeroDivisionError",
        _edited('"clusters": 4', '"clusters": 1 / 0'),
    ),
    Case("no RECIPE", MEMBERS, 2, "tiny.py must export RECIPE", _edited("RECIPE =", "RECIPES =")),
    Case("another name than the file's", MEMBERS, 2, "must be 'tiny'", _edited('name="tiny"', 'name="tyni"')),
    Case("one bad file among others: the good ones", "yt8m recipes", 1, "tiny: for tests", _another),
    Case(
        "one bad file among others: the bad one",
        "yt8m recipes",
        1,
        "broken.py, line 2: ModuleNotFoundError",
        _another,
    ),
    Case(
        "an unknown setting",
        TRAIN,
        2,
        "line 13: Member has no setting 'learnig_rate'. Did you mean 'learning_rate'?",
        _logistic("steps=20, learnig_rate=1e-2"),
    ),
    Case(
        "a number in quotes",
        TRAIN,
        2,
        "learning_rate must be a number (over 0); got '1e-2'. Write it without quotes.",
        _logistic('steps=20, learning_rate="1e-2"'),
    ),
    Case(
        "batch_size=0",
        TRAIN,
        2,
        "batch_size must be a whole number (at least 1); got 0",
        _logistic("steps=20, batch_size=0"),
    ),
    Case("epochs=-1", TRAIN, 2, "epochs must be a number (over 0) or None; got -1", _logistic("epochs=-1")),
    Case(
        "an unknown family",
        TRAIN,
        2,
        "Did you mean 'netvlad'?",
        _edited(
            '"netvlad", NETVLAD, batch_size=16, steps=30, checkpoint', '"netvald", {}, steps=30, checkpoint'
        ),
    ),
    Case(
        "an unknown hyperparameter",
        TRAIN,
        2,
        "netvlad has no hyperparameter cluster",
        _netvlad('"cluster": 4'),
    ),
    Case(
        "a text for a number",
        TRAIN,
        2,
        "clusters must be a whole number (at least 2); got 'eight'",
        _netvlad('"clusters": "eight"'),
    ),
    Case(
        "clusters=0",
        TRAIN,
        2,
        "clusters must be a whole number (at least 2); got 0",
        _netvlad('"clusters": 0'),
    ),
    Case("an unknown choice", TRAIN, 2, "Did you mean 'early'?", _netvlad('"fusion": "erly"')),
    Case(
        "sizes that do not fit the data set",
        TRAIN,
        2,
        "features must be divisible by reduction",
        _edited(LOGISTIC, 'Member("hg_nl", {"reduction": 7}, steps=1)'),
    ),
    Case(
        "a text for a tuple of members",
        TRAIN,
        2,
        "members must be a tuple such as (\"a\",); got 'logistic'",
        _edited(BLEND, 'Ensemble(("logistic"))'),
    ),
    Case(
        "an ensemble's unknown member",
        TRAIN,
        2,
        "Did you mean 'netvlad'?",
        _edited(BLEND, 'Ensemble(("logistic", "netvald"))'),
    ),
    Case(
        "an unknown codec",
        TRAIN,
        2,
        "Did you mean 'int8'?",
        _edited(BLEND, 'Ensemble(("logistic",), codec="in8")'),
    ),
    Case(
        "features without the outer tuple",
        TRAIN,
        2,
        "features must be a tuple such as",
        _edited("NETVLAD = {", f"{OWN}NETVLAD = {{"),
    ),
    Case(
        "a teacher that does not exist",
        TRAIN,
        2,
        "Did you mean 'logistic'?",
        _edited('teacher="logistic"', 'teacher="logitsic"'),
    ),
    Case(
        "weights in another number",
        TRAIN,
        2,
        "weights must match members; got 1 for 2",
        _edited(BLEND, 'Ensemble(("logistic", "netvlad"), weights=(1.0,))'),
    ),
)
