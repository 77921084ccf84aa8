"""Free space is compared with what surely will be written, before anything is."""

import shutil
from typing import NamedTuple

import pytest

from yt8m_kit.cli.main import main
from yt8m_kit.errors import KitError
from yt8m_kit.machine import space
from yt8m_kit.training.checkpoints import bytes_to_come

pytestmark = pytest.mark.usefixtures("tiny_recipes")


class Usage(NamedTuple):
    free: int


@pytest.fixture
def disk_with(monkeypatch):
    """A function that leaves so many bytes free on every disk."""
    return lambda free: monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free))


def test_a_folder_that_does_not_exist_yet_is_on_the_disk_of_its_parent(tmp_path, disk_with):
    disk_with(1000)
    space.check_space(tmp_path / "a" / "b", 1000, "training")
    with pytest.raises(
        KitError, match=r"b has too little space: training takes at least 1,001 bytes, 1,000 are"
    ):
        space.check_space(tmp_path / "a" / "b", 1001, "training")


@pytest.mark.parametrize(
    ("saves", "kept", "existing", "needed"),
    [
        (1, 0, 0, 30 + 10),  # a state, the final weights
        (2, 0, 0, 60 + 10),
        (3, 0, 0, 90),  # three states while the third is written: more than two and the final weights
        (50, 4, 0, 90 + 40),
        (50, 4, 1, 60 + 40),  # of a resumed training, whose states are there
        (50, 4, 2, 30 + 40),
    ],
)
def test_bytes_of_a_training_follow_from_its_checkpoints(tmp_path, saves, kept, existing, needed):
    for name in ("state.npz", "state.previous.npz")[:existing]:
        (tmp_path / name).touch()
    assert bytes_to_come(tmp_path, 30, 10, saves=saves, kept=kept) == needed


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["train", "logistic"], "training to step 20 takes at least"),
        (["evaluate", "logistic", "--split=train"], "probabilities of 60 videos takes at least"),
        (["predict", "logistic"], "predicting 40 videos takes at least"),
        (["distill", "logistic"], "soft labels of 60 videos takes at least"),
    ],
)
def test_stages_refuse_a_disk_that_is_too_small(
    tiny_data, tiny_runs, tmp_path, disk_with, capsys, words, what
):
    if words[0] != "train":
        shutil.copytree(tiny_runs, tmp_path, dirs_exist_ok=True)
        assert main(["export", "tiny", "logistic", f"--runs={tmp_path}"]) == 0
    disk_with(500)
    places = [f"--data={tiny_data.path}", f"--runs={tmp_path}"]
    assert main([words[0], "tiny", *words[1:], *places]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert what in last
    assert "500 are free" in last
    disk_with(10**12)
    assert main([words[0], "tiny", *words[1:], *places]) == 0
