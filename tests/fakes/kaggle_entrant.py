"""A user with a CSV to submit: own home folder, recipes and runs, isolated from the real ones."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fakes.kaggle_server import COMPETITION
from yt8m_kit.output.sealed import read_sealed, write_sealed
from yt8m_kit.submission.csv_reader import HEADER
from yt8m_kit.submission.csv_writer import text

CLASSES, VIDEOS = 30, 40
RECIPE = f'''
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.dataset import Dataset

RECIPE = Recipe(
    name="toy", description="for tests",
    dataset=Dataset("toy", (("rgb", 4),), classes={CLASSES}, competition="{COMPETITION}"),
    members={{"one": Member("frame_logistic", steps=1)}},
    ensembles={{
        "blend": Ensemble(("one",), published_mib=944.6, published_public=0.88794, published_private=0.88722),
        "silent": Ensemble(("one",)),
    }},
)
'''


class Entrant(NamedTuple):
    """The user's folders and files, all below `home`."""

    home: Path

    @property
    def recipes(self) -> Path:
        return self.home / "recipes"

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def csv(self) -> Path:
        return self.runs / "toy" / "blend" / "submission.csv"

    @property
    def entry(self) -> Path:
        return self.csv.with_name("kaggle_entry.json")

    @property
    def ledger(self) -> Path:
        return self.recipes / "results.csv"

    @property
    def config(self) -> Path:
        return self.home / ".kaggle" / "kaggle.json"

    def words(self, *options: str) -> list[str]:
        """The command that submits the CSV."""
        return ["submit", "toy", "blend", "--to=kaggle", f"--runs={self.runs}", *options]

    def environment(self) -> dict[str, str]:
        """This process' environment without credentials and proxies, with `home` as home folder."""
        foreign = ("KAGGLE_", "HTTP", "NO_PROXY", "ALL_PROXY", "XDG_", "YT8M_")
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
        return kept | {"HOME": str(self.home), "YT8M_RECIPES": str(self.recipes)}

    def age_request(self, seconds: float) -> None:
        """Move the request of an unconfirmed submission, if there is one, into the past."""
        if self.entry.exists():
            state = read_sealed(self.entry)
            write_sealed(self.entry, state | {"requested": state["requested"] - seconds})


def entrant(home: Path, videos: int = VIDEOS) -> Entrant:
    """An entrant with a CSV of that many videos."""
    made = Entrant(home)
    made.recipes.mkdir(parents=True)
    (made.recipes / "toy.py").write_text(RECIPE)
    made.config.parent.mkdir()
    made.csv.parent.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.argsort(rng.random((videos, CLASSES)), axis=1)[:, :20].astype(np.int32)
    confidences = -np.sort(-rng.random((videos, 20), np.float32), axis=1)
    lines = text([f"v{i:06d}" for i in range(videos)], labels, confidences)
    made.csv.write_text(f"{HEADER}\n{lines}")
    return made
