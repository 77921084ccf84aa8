"""Data for the tests: a small synthesized set, and the real records where they are at hand."""

import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.kaggle_entrant import Entrant
from tests.fakes.kaggle_entrant import entrant as make_entrant
from tests.fakes.kaggle_server import KaggleServer

# Before anything imports it: no greetings on stderr.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Processes that compile the same steps with JAX share them; pytest-xdist's workers inherit these variables.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    COMPILED = tempfile.TemporaryDirectory(prefix="compiled-")
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": COMPILED.name,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
# Records come by --data alone: what lies in data/ of the checkout is nobody's business here.
os.environ["YT8M_DATA"] = "/no/records"
# A shell's background jobs ignore Ctrl-C, and the processes that tests start and interrupt would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from tests.support.recipes import RECIPES
from yt8m_kit.data.synthesize import synthesize
from yt8m_kit.dataset import DEMO, Dataset

REAL_DATA = Path(os.environ.get("YT8M_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """The same weights in every run: Keras takes its seeds from Python's generator."""
    random.seed(0)


class TinyData(NamedTuple):
    """dataset: what the records look like. path: the folder with the shards of train, validate and test."""

    dataset: Dataset
    path: Path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real records (audioset/, yt8m_video/, odd_records/, expand_frames.py)."""
    if not (REAL_DATA / "audioset").is_dir():
        pytest.skip(f"no real records in {REAL_DATA}; set YT8M_TEST_DATA to their folder")
    return REAL_DATA


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> TinyData:
    """60 + 40 + 40 synthesized videos, two shards a split; to be read, not changed."""
    path = tmp_path_factory.mktemp("tiny")
    synthesize(path, train=60, validate=40, test=40, shards=2)
    return TinyData(DEMO, path)


@pytest.fixture(scope="module")
def recipes_of_tests() -> Iterator[None]:
    """As tiny_recipes, for fixtures of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        yield


@pytest.fixture
def tiny_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipes of the tests in place of those that ship."""
    monkeypatch.setenv("YT8M_RECIPES", str(RECIPES))


@pytest.fixture(scope="session")
def tiny_runs(tiny_data: TinyData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the tiny recipe, not to be changed: members trained, averaged, evaluated; blend searched."""
    from yt8m_kit.cli.main import main

    runs = tmp_path_factory.mktemp("runs")
    places = [f"--data={tiny_data.path}", f"--runs={runs}"]
    verbs = ("train", "average", "evaluate")
    stages = [[verb, "tiny", name] for name in ("logistic", "netvlad") for verb in verbs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YT8M_RECIPES", str(RECIPES))
        for stage in [*stages, ["ensemble", "tiny", "blend"]]:
            assert main([*stage, *places]) == 0
    return runs


@pytest.fixture
def entrant(tmp_path: Path) -> Entrant:
    """A user with a CSV to submit to Kaggle."""
    return make_entrant(tmp_path / "entrant")


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """Kaggle on the loopback, for the kaggle package of this process, which is imported anew."""
    from kagglesdk import kaggle_env

    for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    with KaggleServer() as server:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
        yield server
        for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
            del sys.modules[name]


@pytest.fixture
def command(
    entrant: Entrant, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line as the entrant, with further variables; exit code, stdout and stderr."""
    from yt8m_kit.cli.main import main

    def run(words: list[str], **variables: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            environment = entrant.environment() | variables
            for name in os.environ.keys() - environment.keys():
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            code = main(words)
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit pauses for hundredths of a second; a busy machine still has seconds for each answer."""
    from yt8m_kit.submission.kaggle import attempt, await_score, bounded, upload

    patient = bounded.PATIENT.new(backoff_factor=0.01, backoff_jitter=0, retry_after_max=0.02)
    monkeypatch.setattr(bounded, "PATIENT", patient)
    for module, name in ((bounded, "SECONDS"), (bounded, "CREATE_SECONDS"), (upload, "SECONDS")):
        monkeypatch.setattr(module, name, (10, 10))
    monkeypatch.setattr(upload, "PAUSE", 0.01)
    monkeypatch.setattr(upload, "RETRY_AFTER", 0.02)
    monkeypatch.setattr(attempt, "LOOKS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(await_score, "POLLS", (0.01, 0.05))
    monkeypatch.setattr(await_score, "WAIT", 10)
