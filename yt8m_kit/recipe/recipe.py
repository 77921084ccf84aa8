"""Recipes: a data set, members and ensembles, valid as a whole."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from yt8m_kit import models
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import UsageError, did_you_mean
from yt8m_kit.fields import checked
from yt8m_kit.recipe.ensemble import Ensemble
from yt8m_kit.recipe.member import Member
from yt8m_kit.recipe.submission import Submission

NAME = re.compile(r"\w[\w.+-]*")  # of a folder, and a word of a command line
FOREIGN = re.compile(f"{NAME.pattern}/{NAME.pattern}")  # a member of another recipe


@checked
@dataclass(frozen=True)
class Recipe:
    """A data set, the members trained on it and the ensembles blended from them.

    submission: the format of its challenge, where that is not YouTube-8M's CSV.

    Raises UsageError for a wrong value, a name that does not exist or cannot name a folder, teachers and
    initial weights that form a cycle, and settings that do not fit the data set.
    """

    name: str
    description: str
    dataset: Dataset
    members: Mapping[str, Member]
    ensembles: Mapping[str, Ensemble] = field(default_factory=dict)
    submission: Submission | None = None

    def __post_init__(self) -> None:
        for name in (*self.members, *self.ensembles):
            if not NAME.fullmatch(name):
                raise UsageError(f"a name must consist of letters, digits, _, ., + and -; got {name!r}.")
        for name, ensemble in self.ensembles.items():
            self._check_ensemble(name, ensemble)
        for name, member in self.members.items():
            self._check_sources(name, ())
            try:
                self._check_fit(member)
            except UsageError as error:
                raise UsageError(f"member {name}: {error}") from None

    def _check_fit(self, member: Member) -> None:
        """Check a member's settings that depend on the data set."""
        models.check_sizes(member.family, self.dataset, member.hyperparameters)
        if member.label_smoothing and not self.dataset.single_label:
            raise UsageError(
                f"label_smoothing must be 0 unless each video has a single label; got "
                f"{member.label_smoothing} on {self.dataset.name}. Leave it out, or declare "
                "Dataset(single_label=True)."
            )

    def _check_ensemble(self, name: str, ensemble: Ensemble) -> None:
        for member in ensemble.members:
            if member not in self.members:
                close = did_you_mean(member, self.members)
                raise UsageError(f"ensemble {name} names unknown member {member!r}; {self._has()}.{close}")
        if name in self.members:
            raise UsageError(f"{name!r} is both a member and an ensemble of recipe {self.name}.")

    def _check_sources(self, name: str, students: tuple[str, ...]) -> None:
        """Check that teachers and members of initial weights exist, and that they form no cycle."""
        if name in students:
            chain = " <- ".join([*students, name])
            raise UsageError(f"the teachers or initial weights of {name} form a cycle: {chain}.")
        for each in self._sources(self.member(name)):
            self._check_sources(each, (*students, name))

    def _sources(self, member: Member) -> tuple[str, ...]:
        """Members of this recipe that a member's training needs."""
        taught = self.ensemble(member.teacher).members if member.teacher is not None else ()
        if member.initial is None or self._is_foreign(member.initial):
            return taught
        if member.initial in self.ensembles or "/" in member.initial:
            raise UsageError(
                f"initial must be a member of this recipe or RECIPE/MEMBER of another one; got "
                f"{member.initial!r}."
            )
        return (*taught, member.initial)

    def _is_foreign(self, initial: str) -> bool:
        """Whether initial weights are of another recipe."""
        return bool(FOREIGN.fullmatch(initial)) and not initial.startswith(f"{self.name}/")

    def member(self, name: str) -> Member:
        """The member of that name. Raises UsageError, which lists the existing ones, if there is none."""
        if name not in self.members:
            close = did_you_mean(name, self.members)
            raise UsageError(f"no member {name!r} in recipe {self.name}; {self._has()}.{close}")
        return self.members[name]

    def ensemble(self, name: str) -> Ensemble:
        """The ensemble of that name; a member's name stands for the ensemble of only that member.

        Raises UsageError, which lists the existing ones, if there is none.
        """
        if name in self.members:
            return Ensemble((name,), weights=(1.0,))
        if name not in self.ensembles:
            close = did_you_mean(name, [*self.ensembles, *self.members])
            raise UsageError(f"no ensemble or member {name!r} in recipe {self.name}; {self._has()}.{close}")
        return self.ensembles[name]

    def _has(self) -> str:
        ensembles = ", ".join(self.ensembles) or "none"
        return f"members: {', '.join(self.members)}; ensembles: {ensembles}"
