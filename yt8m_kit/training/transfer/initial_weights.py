"""Initial weights of a member, taken from another one where names and shapes agree.

The report of the iqiyi entry to ActivityNet 2019 trains HG-NL from TSN, and Kinetics-700 models from
Kinetics-600 ones with another classifier.
"""

from typing import NamedTuple

import keras

from yt8m_kit.errors import UsageError
from yt8m_kit.inference.member_model import trained_model
from yt8m_kit.layers.layer import is_float
from yt8m_kit.output import progress
from yt8m_kit.pipeline.stages import Stages
from yt8m_kit.recipe import Member


class Transfer(NamedTuple):
    """Names of weights: taken, not there under that name or in that shape, and not used of the source."""

    taken: list[str]
    without_counterpart: list[str]
    of_other_shape: list[str]
    unused: list[str]

    def __str__(self) -> str:
        arrays = len(self.taken) + len(self.without_counterpart) + len(self.of_other_shape)
        return f"{len(self.taken)} of {arrays} arrays"

    def lines(self) -> list[str]:
        """What was taken and what was not, a line for each kind that there is."""
        kinds = (
            ("taken", self.taken),
            ("not taken, of another shape", self.of_other_shape),
            ("not taken, no such name there", self.without_counterpart),
            ("there, but not used", self.unused),
        )
        return [f"  {kind}: {', '.join(names)}" for kind, names in kinds if names]


def transfer(model: keras.Model, source: keras.Model) -> Transfer:
    """Assign the source's weights to those of the model that have the same name and shape.

    Moving statistics of BatchNorm are weights, too; seeds of random layers are not.
    """
    found = Transfer([], [], [], [])
    there = {variable.path: variable for variable in source.variables if is_float(variable)}
    for variable in filter(is_float, model.variables):
        other = there.pop(variable.path, None)
        if other is None:
            found.without_counterpart.append(variable.path)
        elif tuple(other.shape) != tuple(variable.shape):
            shapes = f"{tuple(other.shape)} there, {tuple(variable.shape)} here"
            found.of_other_shape.append(f"{variable.path} {shapes}")
        else:
            variable.assign(other)
            found.taken.append(variable.path)
    found.unused.extend(there)
    return found


def take_initial(stages: Stages, member: Member, model: keras.Model) -> str | None:
    """Assign the weights of `member.initial` to the model; return a phrase for the record, None without.

    Says what was taken and what was not. Raises UsageError if the weights are missing, or none of them fits;
    KitError if they are damaged.
    """
    source = stages.initial(member)
    if source is None:
        return None
    family = source.experiment.recipe.member(source.run.path.name).family
    found = transfer(model, trained_model(source.experiment, source.run.path.name, source))
    if not found.taken:
        raise UsageError(
            f"no weight of {member.initial} ({family}) has name and shape of one of this {member.family}: "
            f"leave out initial={member.initial!r}, or choose sizes that agree. "
            + "; ".join(line.strip() for line in found.lines())
        )
    progress.say(f"initial weights: {found} from {member.initial}")
    for line in found.lines():
        progress.say(line)
    return f"{found} from {member.initial}"
