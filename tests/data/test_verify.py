"""Verification: bad shards are named, unchanged ones read once, and a repair downloads only altered ones."""

import dataclasses
import faulthandler
import hashlib
import json
import os
import random

import numpy as np
import pytest

from tests.fakes.mirror import Mirror
from yt8m_kit.cli.main import main
from yt8m_kit.data import verify
from yt8m_kit.data.download.download import sources
from yt8m_kit.data.download.mirrors import RetryPolicy
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.manifest import FILE, Manifest
from yt8m_kit.data.loader.splits import find
from yt8m_kit.data.validation.statistics import SplitStatistics
from yt8m_kit.dataset import AUDIOSET, YOUTUBE8M_2018, Dataset
from yt8m_kit.errors import DataError, KitError, UsageError
from yt8m_kit.output.sealed import read_sealed

SMALL = Dataset("small", (("rgb", 7), ("audio", 3)), classes=10, max_frames=5)
NOWHERE = sources(urls="http://127.0.0.1:1")
SOON = RetryPolicy(connect=2, read=0.5, backoff=0.02, max_backoff=0.2, max_silence=2, rounds=4)
FOLDER = "2/frame/train"


def write(path, numbers, labels=(1,)):
    rng = np.random.default_rng(0)
    with tfrecord.writing(path) as add:
        for number in numbers:
            features = {name: rng.integers(0, 256, (3, width), np.uint8) for name, width in SMALL.features}
            add(sequence_example(f"v{number}", list(labels), features))


def damage(path, at=-1):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    """Four shards of 5 videos in an official folder, and the plan of them."""
    folder = tmp_path / FOLDER
    for number in range(4):
        write(folder / f"train000{number}.tfrecord", range(number * 5, number * 5 + 5))
    names = ["trainaa.tfrecord", "trainab.tfrecord", "trainac.tfrecord", "trainad.tfrecord"]
    sums = [hashlib.md5(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
    plan = tmp_path / "2/download_plans/frame_train.json"
    plan.parent.mkdir()
    plan.write_text(json.dumps({"files": dict(zip(names, sums))}))
    return folder


def published(folder):
    """The files of a mirror: those of the folder in their current state."""
    letters = "abcdefgh"
    files = {f"{FOLDER}/traina{letters[i]}.tfrecord": p.read_bytes() for i, p in enumerate(shards(folder))}
    plan = "2/download_plans/frame_train.json"
    return files | {plan: (folder.parents[2] / plan).read_bytes()}


def shards(folder):
    return sorted(folder.glob("*.tfrecord"))


def check(folder, origin=NOWHERE, dataset=SMALL, **arguments):
    return verify.verify(shards(folder), dataset, origin, policy=SOON, **arguments)


@pytest.fixture
def examined(monkeypatch):
    """Names of the shards that are read."""
    names = []
    examine = verify.examine

    def watched(path, *rest):
        names.append(path.name)
        return examine(path, *rest)

    monkeypatch.setattr(verify, "examine", watched)
    return names


def said(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith(("bad", "4 shards"))]


def test_unchanged_shards_are_read_once(folder, examined, capsys):
    made = check(folder)
    assert made == folder / FILE
    assert sorted(examined) == [path.name for path in shards(folder)]
    assert said(capsys) == ["4 shards, 20 records: none bad; 0 unchanged"]
    check(folder)
    assert len(examined) == 4
    assert said(capsys) == ["4 shards, 20 records: none bad; 4 unchanged"]
    check(folder, again=True)
    assert len(examined) == 8


def test_changed_shards_are_read_again(folder, examined):
    check(folder)
    examined.clear()
    write(folder / "train0001.tfrecord", range(5, 10))
    os.utime(folder / "train0002.tfrecord", ns=(0, 5))
    check(folder)
    assert sorted(examined) == ["train0001.tfrecord", "train0002.tfrecord"]


def test_bad_shards_are_named_again_without_reading(folder, examined, capsys):
    damage(folder / "train0003.tfrecord")
    for _ in range(2):
        with pytest.raises(KitError, match=r"1 of 4 shards in .* are bad, named above\. --repair downloads"):
            check(folder)
        assert said(capsys)[:2] == [
            "bad: train0003.tfrecord: its MD5 differs from the published one",
            "bad: train0003.tfrecord record 4: data CRC mismatch",
        ]
    assert len(examined) == 4


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1, "shards": {"train0000.tfrecord": [1]}}', "\xff"]
)
def test_a_damaged_manifest_is_ignored(folder, examined, text):
    check(folder)
    (folder / FILE).write_text(text)
    check(folder)
    assert len(examined) == 8


def test_an_edited_manifest_is_ignored(folder, examined):
    """A record less would be trained on."""
    check(folder)
    text = (folder / FILE).read_text()
    assert splits.count(shards(folder)) == 20
    (folder / FILE).write_text(text.replace("\n    5,\n", "\n    4,\n"))
    assert text != (folder / FILE).read_text()
    assert splits.count(shards(folder)) == 20
    check(folder)
    assert len(examined) == 8


def test_the_manifest_is_only_valid_for_its_data_set(folder, examined, capsys):
    check(folder)
    with pytest.raises(KitError, match="4 of 4 shards"):
        check(folder, dataset=dataclasses.replace(SMALL, classes=1))
    assert len(examined) == 8
    assert "bad: train0000.tfrecord record 0: labels holds 1; expected 0 to 0" in said(capsys)


def test_the_manifest_holds_the_same_fields_as_before_label_keys(folder, examined):
    about = read_sealed(check(folder))
    assert {key: about[key] for key in about if key != "shards"} == {
        "format": 2,
        "features": [["rgb", 7], ["audio", 3]],
        "classes": 10,
        "id_keys": ["id", "video_id"],
    }
    check(folder, dataset=dataclasses.replace(SMALL, max_skipped=0.5))
    assert len(examined) == 4
    check(folder, dataset=dataclasses.replace(SMALL, label_keys=("genres",)))
    assert len(examined) == 8


def odd(path, kind):
    """Damage a shard of five records; returns the expected message."""
    if kind == "truncated":
        os.truncate(path, path.stat().st_size - 2)
        return " record 4: truncated: needs"
    if kind == "length":
        damage(path, 3)
        return ": not a TFRecord file (its first record header is wrong)"
    if kind == "empty":
        path.write_bytes(b"")
        return ": empty shard (0 bytes)"
    if kind == "error page":
        path.write_text("<html>come back later</html>")
        return ": not a TFRecord file"
    if kind == "folder":
        path.unlink()
        path.mkdir()
        return ": cannot be read: Is a directory"
    if kind == "label":
        write(path, range(5), labels=[10])
        return " record 0: labels holds 10; expected 0 to 9"
    with tfrecord.writing(path) as add:
        add(sequence_example("x", [1], {"rgb": np.zeros((2, 7), np.uint8)}))
    return " record 0: feature audio is missing; the record has rgb"


@pytest.mark.parametrize("kind", ["truncated", "length", "empty", "error page", "folder", "label", "key"])
def test_faults_are_named(folder, kind, capsys):
    reason = odd(folder / "train0001.tfrecord", kind)
    with pytest.raises(KitError, match="1 of 4 shards"):
        check(folder)
    lines = said(capsys)
    assert lines[0] == "bad: train0001.tfrecord: its MD5 differs from the published one"
    assert lines[1].startswith(f"bad: train0001.tfrecord{reason}")


def test_many_faults_of_a_shard_are_counted(folder, capsys):
    write(folder / "train0001.tfrecord", range(25), labels=[10])
    with pytest.raises(KitError):
        check(folder)
    lines = said(capsys)
    assert len(lines) == 1 + 10 + 1 + 1
    assert lines[-2] == "bad: train0001.tfrecord: and 15 more"


def test_without_a_plan_records_are_still_read(tmp_path, capsys):
    for number in range(4):
        write(tmp_path / f"train000{number}.tfrecord", range(number * 5, number * 5 + 5))
    check(tmp_path)
    assert said(capsys)[-1].endswith("no download plan is stored here, MD5s were not compared")
    with pytest.raises(UsageError, match="is not an official folder"):
        check(tmp_path, repair=True)


def test_a_repair_downloads_only_altered_shards(folder, capsys):
    with Mirror(published(folder)) as server:
        origin = sources(urls=server.url)
        good = {path: path.read_bytes() for path in shards(folder)}
        times = {path: path.stat().st_mtime_ns for path in shards(folder)}
        damage(folder / "train0001.tfrecord")
        os.truncate(folder / "train0002.tfrecord", 100)
        check(folder, origin, repair=True)
        assert {path: path.read_bytes() for path in shards(folder)} == good
        assert {path for path, _ in server.seen} == {
            f"{FOLDER}/trainab.tfrecord",
            f"{FOLDER}/trainac.tfrecord",
        }
        assert times[folder / "train0000.tfrecord"] == (folder / "train0000.tfrecord").stat().st_mtime_ns
        assert sorted(os.listdir(folder)) == [*(path.name for path in shards(folder)), FILE]
        check(folder)
    assert said(capsys)[-1] == "4 shards, 20 records: none bad; 4 unchanged"


def test_a_repair_without_a_plan_downloads_the_plan_first(folder):
    files = published(folder)
    (folder.parents[2] / "2/download_plans/frame_train.json").unlink()
    damage(folder / "train0001.tfrecord")
    with Mirror(files) as server:
        check(folder, sources(urls=server.url), repair=True)
    assert (folder / "train0001.tfrecord").read_bytes() == files[f"{FOLDER}/trainab.tfrecord"]


def test_a_failed_repair_changes_nothing(folder):
    damage(folder / "train0001.tfrecord")
    before = (folder / "train0001.tfrecord").read_bytes()
    with pytest.raises(KitError, match="1 of 1 files are missing"):
        check(folder, repair=True)
    assert (folder / "train0001.tfrecord").read_bytes() == before


def test_a_file_under_its_remote_name_is_repaired(folder):
    files = published(folder)
    (folder / "train0001.tfrecord").rename(folder / "trainab.tfrecord")
    damage(folder / "trainab.tfrecord")
    with Mirror(files) as server:
        check(folder, sources(urls=server.url), repair=True)
    assert [path.name for path in shards(folder)] == [f"train000{number}.tfrecord" for number in range(4)]
    assert (folder / "train0001.tfrecord").read_bytes() == files[f"{FOLDER}/trainab.tfrecord"]


def test_a_shard_that_was_published_bad_is_not_downloaded_again(folder):
    plan = folder.parents[2] / "2/download_plans/frame_train.json"
    damage(folder / "train0001.tfrecord")
    sums = json.loads(plan.read_text())
    sums["files"]["trainab.tfrecord"] = hashlib.md5((folder / "train0001.tfrecord").read_bytes()).hexdigest()
    plan.write_text(json.dumps(sums))
    with Mirror(published(folder)) as server:
        with pytest.raises(KitError, match=r"1 of 4 shards in .* are bad, named above\.$"):
            check(folder, sources(urls=server.url), repair=True)
        assert not server.seen


def test_record_counts_come_from_the_manifest_while_shards_are_unchanged(folder, monkeypatch):
    assert splits.count(shards(folder)) == 20
    check(folder)
    write(folder / "train0001.tfrecord", range(7))
    index = tfrecord.index
    indexed = []

    def walk(path):
        indexed.append(path.name)
        return index(path)

    monkeypatch.setattr(tfrecord, "index", walk)
    assert splits.count(shards(folder)) == 22
    assert indexed == ["train0001.tfrecord"]


def test_deleted_shards_leave_the_manifest(folder):
    check(folder)
    (folder / "train0003.tfrecord").unlink()
    check(folder, again=True)
    assert len(read_sealed(folder / FILE)["shards"]) == 3
    assert Manifest(folder, SMALL).get(folder / "train0000.tfrecord") is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "verify needs --split=train, validate or test"),
        (["--split=train", "--threads=0"], "--threads must be at least 1; got 0"),
        (["--split=train", "--recipe=nope"], "no recipe 'nope'"),
        (["--split=train"], "no train shards: looked for"),
        (["--split=train", "--fix"], "verify has no flag --fix"),
    ],
)
def test_misuse_is_one_line(words, message, tmp_path, capsys):
    assert main(["verify", *words, f"--data={tmp_path}"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_the_recipe_option_selects_the_data_set(real_data, tmp_path, capsys):
    folder = tmp_path / "validate"
    folder.mkdir()
    for path in find(real_data / "audioset", "validate"):
        (folder / path.name).symlink_to(path)
    words = ["verify", "--split=validate", f"--data={tmp_path}"]
    assert main([*words, "--recipe=audioset", "--threads=2"]) == 0
    assert capsys.readouterr().out == f"{folder / FILE}\n"
    assert main(words) == 1
    assert "record 0: feature rgb is missing; the record has audio_embedding" in capsys.readouterr().err


# Mutations of real records


def mutated(data, rng):
    """Damage data once: flip a bit, truncate, overwrite eight bytes with a number, or duplicate bytes."""
    data = bytearray(data)
    kind, at = rng.randrange(4), rng.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        number = rng.choice([0, 1, 2**31, 2**63, 2**64 - 1, len(data), rng.randrange(2**64)])
        data[at : at + 8] = number.to_bytes(8, "little")
    else:
        data[at:at] = data[at : at + rng.randrange(1, 40)]
    return bytes(data)


def framed(payloads, path):
    with tfrecord.writing(path) as add:
        for payload in payloads:
            add(payload)
    return path.read_bytes()


def payloads_of(path, count):
    index, data = tfrecord.index(path), path.read_bytes()
    return [data[at : at + size] for at, size in zip(index.offsets[:count], index.lengths)]


def rows(batch):
    """Frames, count and labels of each video of a batch, by id."""
    arrays = zip(batch.frames, batch.num_frames.tolist(), batch.labels)
    return {key: (f.tobytes(), n, labels.tobytes()) for key, (f, n, labels) in zip(batch.ids, arrays)}


def read_all(path, dataset):
    """Videos and the summary of faults; no videos and the error if there are none."""
    faults = Faults()
    try:
        found = {
            key: row
            for batch in read_batches([path], dataset, 4, faults=faults)
            for key, row in rows(batch).items()
        }
        return found, faults.summary()
    except DataError as error:
        return {}, str(error)


def mutate_many(times, seed, sources, path, reframe):
    """Damage a shard `times` times: reader and verify both notice, or no video is lost or changed."""
    print(f"seed {seed}, {times} mutations, {'payloads with a valid CRC' if reframe else 'shards'}")
    rng = random.Random(seed)
    noticed = 0
    for time in range(times):
        payloads, dataset, original = sources[time % len(sources)]
        if reframe:
            victim = rng.randrange(len(payloads))
            framed([*payloads[:victim], mutated(payloads[victim], rng), *payloads[victim + 1 :]], path)
        else:
            path.write_bytes(mutated(original[1], rng))
        found, reason = read_all(path, dataset)
        finding = verify.examine(path, dataset, lambda size: None, SplitStatistics(dataset))
        where = f"seed {seed}, mutation {time}"
        assert bool(finding.bad) == bool(reason), f"{where}: reader and verify disagree: {reason} {finding}"
        changed = {key for key in found if found[key] != original[0].get(key)}
        if reframe:  # a writer's mistake: only the format can be checked, and only this record is affected
            assert len(changed) <= 1, where
        else:
            assert not changed, f"{where}: {changed} were changed"
            cut_between_records = original[1].startswith(path.read_bytes())
            assert reason or cut_between_records or path.read_bytes() == original[1], where
        noticed += bool(reason)
    return noticed


@pytest.fixture
def originals(real_data, tmp_path):
    """Payloads, data set and (videos, bytes) of small shards of real records: frames and means."""
    found = []
    for path, dataset, count in (
        (real_data / "audioset/train0000.tfrecord", AUDIOSET, 8),
        (
            real_data / "yt8m_video/validate0000.tfrecord",
            dataclasses.replace(YOUTUBE8M_2018, max_frames=2),
            4,
        ),
    ):
        payloads = payloads_of(path, count)
        data = framed(payloads, tmp_path / "original")
        videos, reason = read_all(tmp_path / "original", dataset)
        assert len(videos) == count
        assert not reason
        found.append((payloads, dataset, (videos, data)))
    return found


@pytest.mark.parametrize("reframe", [False, True], ids=["shards", "payloads"])
def test_mutations_of_real_records(originals, tmp_path, reframe):
    assert mutate_many(150, 1, originals, tmp_path / "train0000.tfrecord", reframe) > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("reframe", [False, True], ids=["shards", "payloads"])
def test_ten_thousand_mutations_of_real_records(originals, tmp_path, seed, reframe):
    faulthandler.dump_traceback_later(600, exit=True)  # so that a hang fails
    try:
        mutate_many(1000, 100 + seed, originals, tmp_path / "train0000.tfrecord", reframe)
    finally:
        faulthandler.cancel_dump_traceback_later()
