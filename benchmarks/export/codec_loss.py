"""GAP@20 that each codec costs each member of a recipe, on the validation split.

    python -m benchmarks.export.codec_loss [--recipe audioset] [--members A,B] [--data FOLDER] [--runs runs]
        [--write]

Of members that were trained and averaged. Codes are decoded into the model and the model is evaluated: the
same numbers as in the exported graph. "calibrated": rounded by what the kernels meet on training videos.
"mixed": the bytes of the codec named, spread over the tensors by measured error. Says at the end whether
uint8 loses under 0.0005 and float16 under 0.0001 everywhere, and exits with 1 where one does not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import (
    docs_tables,
    quiet,  # noqa: F401
    trained,
)
from yt8m_kit.codecs.encoding import decode, encode
from yt8m_kit.codecs.formats import FORMATS
from yt8m_kit.data.loader import splits
from yt8m_kit.evaluation.validation import predictions
from yt8m_kit.inference.predictor import predictor
from yt8m_kit.metrics import gap_at_20
from yt8m_kit.output.tables import Row, markdown
from yt8m_kit.quantization import quantize
from yt8m_kit.quantization.sizes import StoredTensor, stored
from yt8m_kit.quantization.trial import FormatTrial, format_trial, videos_of
from yt8m_kit.recipe import Recipe

ALLOWED = {"uint8": 0.0005, "float16": 0.0001}
NEAREST = (
    "float16",
    "float16_four",
    "bfloat16",
    "uint8",
    *(name for name, each in FORMATS.items() if each.affine),
)
CALIBRATED = ("int8", "int6", "int4", "int4_g128")
MIXED = ("int4_g128", "int6")  # whose bytes a mixed codec gets


class Trial:
    """A member whose tensors are decoded from one format after another."""

    def __init__(self, recipe: Recipe, name: str, data: Path, trial: FormatTrial):
        self.recipe, self.name, self.trial = recipe, name, trial
        self._paths = splits.find(data, "validate")
        self._exact = {path: variable.numpy() for path, variable in trial.variables.items()}
        self._predict = predictor(trial.model)
        self._whole = self._gap()

    def all(self) -> Iterator[tuple[str, float]]:
        """What was done, and the GAP@20 lost; first the GAP@20 of the float model."""
        yield "float32: GAP@20", self._whole
        for codec in NEAREST:
            yield codec, self._lost(stored(self.recipe, [self.name], codec), calibrated=False)
        for codec in CALIBRATED:
            yield f"{codec}, calibrated", self._lost(stored(self.recipe, [self.name], codec), calibrated=True)
        smallest = stored(self.recipe, [self.name], "mixed")
        errors = {self.name: self.trial.errors(quantize.large(smallest, self.name))}
        for codec in MIXED:
            budget = sum(tensor.size for tensor in stored(self.recipe, [self.name], codec))
            mixed = quantize.allocated(smallest, errors, {self.name: 1.0}, budget)
            yield f"mixed in the bytes of {codec}, calibrated", self._lost(mixed, calibrated=True)

    def _lost(self, tensors: Sequence[StoredTensor], *, calibrated: bool) -> float:
        codes = {
            tensor.path: self.trial.best(tensor.path, tensor.format)[0]
            if calibrated
            else encode(tensor.format, self._exact[tensor.path])
            for tensor in tensors
            if tensor.format != "float32"
        }
        for path, encoded in codes.items():
            self.trial.variables[path].assign(decode(encoded))
        lost = self._whole - self._gap()
        for path, exact in self._exact.items():
            self.trial.variables[path].assign(exact)
        return lost

    def _gap(self) -> float:
        _, probabilities, truth, _ = predictions(
            self._predict, self.recipe.dataset, self._paths, self.name, strict=False
        )
        return gap_at_20(probabilities, truth)


def main() -> None:
    """Measures, prints the table and the verdict."""
    parser = docs_tables.parser(__doc__)
    trained.add_options(parser)
    options = parser.parse_args()
    experiment, names = trained.found(options)
    recipe = experiment.recipe
    if not names:
        print(f"codec_loss: skipped, no averaged member of {recipe.name} is in {options.runs}")
        return
    lost: dict[str, dict[str, float]] = {}
    videos = videos_of(recipe.dataset, splits.find(options.data, "train"))
    for name in names:
        with format_trial(experiment, name, videos, calibrated=True) as trial:
            for codec, value in Trial(recipe, name, options.data, trial).all():
                lost.setdefault(codec, {})[name] = value
    rows: list[Row] = [
        {"codec": codec} | {name: f"{values[name]:.5f}" for name in names} for codec, values in lost.items()
    ]
    wrong = [f"{c} {n} {lost[c][n]:.5f}" for c in ALLOWED for n in names if lost[c][n] >= ALLOWED[c]]
    verdict = "uint8 loses under 0.0005 and float16 under 0.0001 everywhere."
    verdict = f"Too much: {', '.join(wrong)}." if wrong else verdict
    docs_tables.show(f"codec_loss {recipe.name}", f"{markdown(rows)}\n{verdict}", options.write)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
