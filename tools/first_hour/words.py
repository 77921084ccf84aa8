"""Mistakes in the words of a command line, and in the choice of backend and encoding."""

from collections.abc import Callable

from tools.first_hour.case import Case, Place

TITLE = "Words"
LATIN1 = "LC_ALL=en_US.ISO-8859-1 PYTHONIOENCODING=ascii PYTHONUTF8=0"
INTERRUPT = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
SHORT = 'Member("frame_logistic", batch_size=16, steps=2, statistics_batches=0)'


def _importing(module: str, text: str) -> Callable[[Place], None]:
    """Replace a module by a text."""

    def prepare(place: Place) -> None:
        path = place.root / "guard" / module / "__init__.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return prepare


def _keras_json(floatx: str) -> Callable[[Place], None]:
    """Write ~/.keras/keras.json, and make the training of logistic short."""

    def prepare(place: Place) -> None:
        path = place.root / "home" / ".keras" / "keras.json"
        path.parent.mkdir()
        path.write_text(f'{{"floatx": "{floatx}", "epsilon": 1e-3}}', encoding="utf-8")
        place.edit('Member("frame_logistic", batch_size=16, steps=20, learning_rate=1e-2)', SHORT)

    return prepare


def _labels(place: Place) -> None:
    lines = ["a,1", '"b,1', *(f"c{number},1" for number in range(30_000))]
    (place.root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")


def _accented(place: Place) -> None:
    place.edit('description="for tests"', 'description="déjà vu"')


CASES = (
    Case("an unknown verb", "yt8m trian tiny netvlad", 2, "Did you mean 'train'?"),
    Case("an unknown recipe", "yt8m train tyni netvlad", 2, "Did you mean 'tiny'?"),
    Case("an unknown member", "yt8m train tiny netvald", 2, "Did you mean 'netvlad'?"),
    Case("an unknown ensemble", "yt8m export tiny blned", 2, "Did you mean 'blend'?"),
    Case("an unknown name among others", "yt8m run tiny blend smal", 2, "Did you mean 'small'?"),
    Case("an unknown recipe of check", "yt8m check tyni", 2, "no recipe 'tyni'"),
    Case("an unknown flag", "yt8m train tiny netvlad --stict", 2, "Did you mean '--strict'?"),
    Case("a flag's unknown choice", "yt8m evaluate tiny blend --split=vaildate", 2, "mean 'validate'?"),
    Case("a flag out of range", "yt8m show tiny blend --videos=0", 2, "--videos must be a whole number (at"),
    Case("a seed below 0", "yt8m synthesize x --seed=-1", 2, "--seed must be a whole number (at least 0)"),
    Case("an unknown last stage", "yt8m run tiny --to=exprot", 2, "Did you mean 'export'?"),
    Case("no records of an own data set", "yt8m sample tiny netvlad --data=mine", 2,
         "`yt8m convert SOURCE mine --split=train` makes them from own videos"),
    Case("no folder of recipes", "YT8M_RECIPES=/nowhere yt8m recipes", 2, "no folder /nowhere with recipes"),
    Case("Ctrl-C while modules are imported", "yt8m train tiny logistic", 130, "yt8m: interrupted",
         _importing("fire", INTERRUPT)),
    Case("Ctrl-C while TensorFlow is imported", "yt8m train tiny logistic", 130, "yt8m: interrupted",
         _importing("tensorflow", INTERRUPT)),
    Case("a pipe that is closed early", "yt8m recipes | head -0; echo ${PIPESTATUS[0]}", 0, "141"),
    Case("a full disk under the output", "yt8m recipes > /dev/full", 1, "No space left on device"),
    Case("a backend that is not supported", "KERAS_BACKEND=torch yt8m train tiny logistic", 2,
         "KERAS_BACKEND must be one of tensorflow, jax; got 'torch'"),
    Case("an unknown backend", "KERAS_BACKEND=tensroflow yt8m check tiny", 2, "Did you mean 'tensorflow'?"),
    Case("a fault of the kit", "yt8m train tiny logistic", 1, "a fault of the kit: RuntimeError: two lines",
         _importing("tensorflow", "raise RuntimeError('two\\nlines')\n")),
    Case("float64 in keras.json", "yt8m train tiny logistic", 0, "trained.weights.h5", _keras_json("float64"),
         at_once=False),
    Case("a keras.json that Keras refuses", "yt8m train tiny logistic", 0, "trained.weights.h5",
         _keras_json("float8"), at_once=False),
    Case("an unbalanced quote in a long CSV of labels",
         "yt8m convert data x --recipe=tiny --labels=labels.csv", 1, "line 2: unexpected end of data",
         _labels),
    Case("a locale without UTF-8", f"{LATIN1} yt8m recipes", 0, "tiny: d\\xe9j\\xe0 vu", _accented),
)  # fmt: skip
