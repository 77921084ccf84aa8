"""What an ensemble's graph holds: members with their shares, the form of each tensor, codes chosen before."""

from collections.abc import Mapping, Sequence

import numpy as np

from yt8m_kit.codecs.forms import Encoded
from yt8m_kit.errors import KitError
from yt8m_kit.output.files import replacing
from yt8m_kit.pipeline.job import verified
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.quantization.sizes import Stored, in_form, stored
from yt8m_kit.recipe import Ensemble, Recipe
from yt8m_kit.run import Run


def planned(recipe: Recipe, blend: Ensemble, members: Sequence[str], run: Run) -> list[Stored]:
    """Every tensor as the export stores it. Raises UsageError where `yt8m quantize` has to run before."""
    tensors = stored(recipe, members, blend.codec)
    if not blend.is_measured:
        return tensors
    forms = run.read(run.need(run.plan, "quantize"))["forms"]
    return [in_form(tensor, forms[tensor.member][tensor.path]) for tensor in tensors]


def save_codes(run: Run, member: str, encoded: Mapping[str, Encoded]) -> None:
    """Keep a member's codes, by path."""
    arrays = {f"{path}|{each.form}|{k}": a for path, each in encoded.items() for k, a in each.arrays.items()}
    with replacing(run.codes(member)) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def load_codes(stages: Stages, name: str, tensors: Sequence[Stored]) -> dict[str, Encoded]:
    """The calibrated codes of a member of an ensemble, by path; none where none were kept.

    tensors: of that member. Raises KitError for codes that are damaged or in other formats than the plan's.
    """
    path = stages.experiment.run(name).codes(tensors[0].member)
    if not path.exists():
        return {}
    arrays: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    stage = stages.quantize(name)
    with np.load(verified(stage, path), allow_pickle=False) as kept:
        for name in kept.files:
            tensor, form, key = name.split("|")
            arrays.setdefault((tensor, form), {})[key] = kept[name]
    if set(arrays) != {(t.path, t.form) for t in tensors if t.form != "float32"}:
        raise KitError(f"{path} is of another plan than {stage.main}; run: {stage.command} --anew")
    return {t.path: Encoded(t.form, t.shape, arrays[t.path, t.form]) for t in tensors if t.form != "float32"}
