"""Features of clips by `yt8m extract` with one process and two, against a plain loop.

    python -m benchmarks.data.extract [--clips 200] [--repeats 5] [--folder TMP] [--write]

The clips are those of tools/draw_videos.py, four seconds of 96 x 96 pixels with sound; the networks are
MobileNetV3Small and VGGish with random weights. A turn is a command from start to end, loading of TensorFlow
included. Memory is the sum over its processes, of what they share each its part, five times a second.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.harness import compare, docs_tables
from benchmarks.harness.compare import Turn
from tools import draw_videos
from yt8m_kit.output.tables import markdown

BASELINE = "plain loop"
RECIPE = '''"""Clips of a benchmark."""

from yt8m_kit.dataset import Dataset
from yt8m_kit.recipe import Ensemble, Member, Recipe

RECIPE = Recipe(
    name="clips",
    description="clips of a benchmark",
    dataset=Dataset("clips", (("rgb", 576), ("audio", 128)), classes=8, max_frames=300),
    members={"mean": Member("frame_logistic", epochs=1, learning_rate=1e-2)},
    ensembles={"all": Ensemble(("mean",))},
)
'''


def draw(folder: Path, clips: int) -> None:
    """Draw the clips below a folder for each kind; write the weights and the recipe."""
    names = list(draw_videos.KINDS)
    for number in range(clips):
        name = names[number % len(names)]
        kind, rng = draw_videos.KINDS[name], np.random.default_rng((0, number))
        frames = draw_videos.images(kind, rng, draw_videos.SIDE, draw_videos.RATE)
        path = folder / "videos" / name / f"{number:03}.mp4"
        draw_videos.write(path, frames, draw_videos.sound(kind, rng), draw_videos.RATE)
    draw_videos.write_weights(folder)
    (folder / "recipes").mkdir()
    (folder / "recipes/clips.py").write_text(RECIPE, encoding="utf-8")


def words(folder: Path, jobs: int) -> list[str]:
    """The command of the kit."""
    networks = ["--image=MobileNetV3Small", f"--image_weights={folder / 'image.weights.h5'}", "--size=96"]
    networks.append(f"--audio_weights={folder / 'sound.ckpt'}")
    places = [str(folder / "videos"), str(folder / "out"), "--recipe=clips", f"--jobs={jobs}"]
    return [sys.executable, "-m", "yt8m_kit.cli", "extract", *places, *networks]


def plain_words(folder: Path) -> list[str]:
    """The command of the plain loop."""
    places = [folder / "videos", folder, folder / "out"]
    return [sys.executable, "-m", "benchmarks.baselines.plain_extract", *map(str, places)]


def turn(command: list[str], folder: Path) -> Turn:
    """Run a command from start to end, without what an earlier one wrote."""
    out = folder / "out"
    if out.is_dir():
        shutil.rmtree(out)
    out.unlink(missing_ok=True)
    began = time.perf_counter()
    environment = {**os.environ, "YT8M_RECIPES": str(folder / "recipes")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = 0.0
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        most = max(most, compare.tree_memory(process.pid))
        time.sleep(0.2)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Turn(time.perf_counter() - began, ended[2].ru_utime + ended[2].ru_stime, most)


def measured(folder: Path, clips: int, repeats: int) -> list[dict[str, str]]:
    """Rows of the ways, in turns after one each to warm up the files' cache."""
    commands = {BASELINE: plain_words(folder)}
    commands |= {f"kit, --jobs={jobs}": words(folder, jobs) for jobs in (1, 2)}
    taken: dict[str, list[Turn]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, command in commands.items():
            one = turn(command, folder)
            if number:
                taken[name].append(one)
    return [
        {
            "way": name,
            "videos/s": compare.spread([clips / one.wall for one in turns]),
            "CPU s a video": compare.spread([one.cpu / clips for one in turns]),
            **compare.against(taken[BASELINE], turns),
        }
        for name, turns in taken.items()
    ]


def main() -> None:
    """Measure and print the table."""
    parser: argparse.ArgumentParser = docs_tables.parser(__doc__)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=compare.REPEATS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        draw(Path(name), options.clips)
        rows = measured(Path(name), options.clips, options.repeats)
    docs_tables.show("extract", markdown(rows), options.write)


if __name__ == "__main__":
    main()
