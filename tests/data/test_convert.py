"""Conversion of own videos: float and byte records, labels by name, bad records skipped and named."""

import csv
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.cli.main import main
from yt8m_kit.data.convert import convert
from yt8m_kit.data.format import tfrecord, vocabulary
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.splits import find
from yt8m_kit.dataset import Dataset
from yt8m_kit.errors import DataError, UsageError
from yt8m_kit.output.provenance import read_record

OWN = Dataset("own", (("rgb", 7), ("audio", 3)), classes=4, max_frames=5)
NAMES = 'Index,Name\n0,cat\n1,dog\n2,"horse, wild"\n3,owl\n'


def dequantized(codes):
    return (codes * (4 / 255) + 4 / 512 - 2).astype(np.float32)


def clip(path, features):
    """A SequenceExample with float frames under MediaPipe's names."""
    built = tf.train.SequenceExample()
    built.context.feature["clip/data_path"].bytes_list.value.append(str(path).encode())
    for name, codes in features.items():
        for frame in dequantized(codes):
            feature = built.feature_lists.feature_list[f"{name.upper()}/feature/floats"].feature.add()
            feature.float_list.value.extend(frame.tolist())
    return built.SerializeToString()


def frames(seed, count=3):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 256, (count, width), np.uint8) for name, width in OWN.features}


@pytest.fixture
def clips(tmp_path):
    """Five MediaPipe files in two folders."""
    source = tmp_path / "features"
    for number, name in enumerate(["a/my cat.mp4", "a/dog.mp4", "b/c,d.mov", "b/owl.mp4", "b/silent.mp4"]):
        path = source / f"{name}.pb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(clip(f"/videos/{name}", frames(number)))
    return source


def written(folder, split="train"):
    """Labels and frames of every written record, by id."""
    found = {}
    for batch in read_batches(find(folder, split), OWN, 10):
        for row, key in enumerate(batch.ids):
            count = batch.num_frames[row]
            found[key] = (np.flatnonzero(batch.labels[row]).tolist(), batch.frames[row, :count])
    return found


def test_clips_become_shards_with_the_same_bytes(clips, tmp_path):
    folder = convert(clips, tmp_path / "data", OWN, videos=2)
    assert sorted(path.name for path in folder.glob("*.tfrecord")) == [
        f"train000{shard}.tfrecord" for shard in range(3)
    ]
    found = written(tmp_path / "data")
    assert list(found) == ["dog.mp4", "my_cat.mp4", "c_d.mov", "owl.mp4", "silent.mp4"]
    for key, number in (("my_cat.mp4", 0), ("dog.mp4", 1), ("owl.mp4", 3)):
        labels, codes = found[key]
        assert labels == []
        np.testing.assert_array_equal(codes, np.hstack(list(frames(number).values())))


def test_labels_come_from_a_file_by_number_or_name(clips, tmp_path, capsys):
    (tmp_path / "names.csv").write_text(NAMES)
    (tmp_path / "labels.csv").write_text(
        "video,labels\n/videos/a/my cat.mp4,0;cat\ndog.mp4,1\nc,x\n".replace("c,x", '"c,d","horse, wild; 3"')
        + "owl,\nnobody,3\n"
    )
    arguments = {"labels": tmp_path / "labels.csv", "names": tmp_path / "names.csv"}
    convert(clips, tmp_path / "data", OWN, **arguments)
    assert {key: labels for key, (labels, _) in written(tmp_path / "data").items()} == {
        "dog.mp4": [1],
        "my_cat.mp4": [0],
        "c_d.mov": [2, 3],
        "owl.mp4": [],
    }
    assert (tmp_path / "data/vocabulary.csv").read_text() == NAMES
    err = capsys.readouterr().err
    assert "skipped 1 whole shard: silent.mp4.pb: labels.csv has no line for '/videos/b/silent.mp4'" in err
    assert "1 line of" in err
    assert "without a video, e.g. 'nobody'" in err
    assert f"convert {clips}: 5 files, " in err
    assert re.search(r"done in \d\d:\d\d, 4 videos converted to ", err)


def test_a_label_file_replaces_the_labels_of_the_records(tmp_path):
    """Those may be of another vocabulary."""
    source = tmp_path / "mine.tfrecord"
    with tfrecord.writing(source) as add:
        add(sequence_example("one", [3000], frames(1)))
    (tmp_path / "labels.csv").write_text("one,2\n")
    convert(source, tmp_path / "data", OWN, labels=tmp_path / "labels.csv")
    assert written(tmp_path / "data")["one"][0] == [2]
    with pytest.raises(DataError, match="labels holds 3000; expected 0 to 3"):
        convert(source, tmp_path / "other", OWN)


def test_shards_are_converted_and_bad_records_named(tmp_path, capsys):
    source = tmp_path / "mine.tfrecord"
    with tfrecord.writing(source) as add:
        add(sequence_example("one", [1], frames(1)))
        add(sequence_example("two", [1], {"rgb": frames(1)["rgb"]}))
        add(sequence_example("dir/one", [2], frames(2)))
        add(sequence_example("three", [3], frames(3)))
    folder = convert(source, tmp_path / "data", OWN, split="validate")
    assert [path.name for path in folder.glob("*.tfrecord")] == ["validate0000.tfrecord"]
    assert list(written(tmp_path / "data", "validate")) == ["one", "three"]
    err = capsys.readouterr().err
    assert "skipped 2 records in 1 shard" in err
    assert "mine.tfrecord record 1: feature audio is missing; the record has rgb" in err
    assert "mine.tfrecord record 2: id 'one' (of 'dir/one') is a duplicate or empty" in err
    with pytest.raises(DataError, match="record 1: feature audio is missing"):
        convert(source, tmp_path / "strict", OWN, strict=True)
    assert not (tmp_path / "strict").exists() or not list((tmp_path / "strict").iterdir())


def test_shards_of_the_same_sources_are_left_alone(clips, tmp_path, capsys):
    folder = convert(clips, tmp_path / "data", OWN)
    before = (folder / "train0000.tfrecord").stat().st_mtime_ns
    convert(clips, tmp_path / "data", OWN)
    assert (folder / "train0000.tfrecord").stat().st_mtime_ns == before
    assert f"up to date: {folder}" in capsys.readouterr().err


def test_a_shard_that_is_gone_is_missed(clips, tmp_path):
    folder = convert(clips, tmp_path / "data", OWN, videos=2)
    written = sorted(folder.glob("*.tfrecord"))
    written[1].unlink()
    with pytest.raises(UsageError, match=rf"it has {len(written) - 1} shards, not the {len(written)} that"):
        convert(clips, tmp_path / "data", OWN, videos=2)


def test_only_label_keys_of_the_new_fields_make_shards_stale(clips, tmp_path):
    """Records of the sources equal those written before the fields existed."""
    folder = convert(clips, tmp_path / "data", OWN)
    record = read_record(folder / "converted.json")
    assert record
    assert record.sources["settings"] == {
        "features": [["rgb", 7], ["audio", 3]],
        "classes": 4,
        "id_keys": ["id", "video_id"],
        "videos": 1000,
    }
    assert convert(clips, tmp_path / "data", replace(OWN, max_skipped=0.5)) == folder
    with pytest.raises(UsageError, match=r"stale: label_keys was not set, is now \['genres'\]"):
        convert(clips, tmp_path / "data", replace(OWN, label_keys=("genres",)))


def test_shards_of_other_sources_are_refused(clips, tmp_path):
    names = tmp_path / "names.csv"
    names.write_text("Index,Name\n0,zero\n")
    folder = convert(clips, tmp_path / "data", OWN, names=names)
    whole = {path: path.read_bytes() for path in folder.iterdir()}

    def refused(said, **changes):
        with pytest.raises(UsageError, match=rf"{folder} is stale: {said}"):
            convert(clips, tmp_path / "data", **({"dataset": OWN, "names": names} | changes))

    refused("videos was 1000, is now 7", videos=7)
    refused("classes was", dataset=replace(OWN, classes=OWN.classes + 1))
    refused(r"vocabulary was '.*', is now 'none'", names=None)
    names.write_text("Index,Name\n0,other\n")
    refused("vocabulary was")
    names.write_text("Index,Name\n0,zero\n")
    (tmp_path / "data/vocabulary.csv").unlink()
    convert(clips, tmp_path / "data", OWN, names=names)
    assert (tmp_path / "data/vocabulary.csv").read_bytes() == names.read_bytes()
    shutil.copy(next(clips.rglob("*.pb")), clips / "another.pb")
    refused(r"files\..*another.pb was not set, is now")
    assert {path: path.read_bytes() for path in folder.iterdir()} == whole
    (folder / "converted.json").unlink()
    refused("there is no record of its sources")


def test_a_source_without_usable_records_is_an_error(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match=r"holds no records: looked for \*\.tfrecord and \*\.pb"):
        convert(tmp_path / "in", tmp_path / "data", OWN)
    (tmp_path / "in" / "x.pb").write_bytes(b"not a record")
    with pytest.raises(DataError, match=r"no usable record in .*x\.pb: not a SequenceExample"):
        convert(tmp_path / "in", tmp_path / "data", OWN)
    assert not (tmp_path / "data" / "train").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,4\n", "line 1: label '4' must be a number below 4, or a name of the vocabulary"),
        ("a,cat;lion\n", "line 1: label 'lion' must be"),
        ("a,0\nb\n", "line 2 must be VIDEO,LABELS; got 'b'"),
        ("a,0\nb,1,2\n", "line 2 must be VIDEO,LABELS; got 'b,1,2'"),
        ("a,0\na,1\n", "line 2 repeats 'a'"),
        ('a,0\n"b,1\n' + "c,1\n" * 40_000, "line 2: unexpected end of data; got '\"b,1'"),
        ("id,labels\n,1\n", "line 2 must be VIDEO,LABELS; got ',1'"),
    ],
)
def test_invalid_labels_are_named(clips, tmp_path, text, said):
    (tmp_path / "names.csv").write_text(NAMES)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=r"labels\.csv: line") as refusal:
        convert(clips, tmp_path / "data", OWN, labels=tmp_path / "labels.csv", names=tmp_path / "names.csv")
    assert said in str(refusal.value)


def test_several_labels_of_a_single_label_data_set_are_named(clips, tmp_path):
    (tmp_path / "labels.csv").write_text("a,1\nb,0;2\n")
    one = replace(OWN, single_label=True)
    with pytest.raises(DataError, match=r"labels\.csv: line 2 must have one label for 'b'; got '0;2'"):
        convert(clips, tmp_path / "data", one, labels=tmp_path / "labels.csv")


def test_more_names_than_classes_are_refused(clips, tmp_path):
    (tmp_path / "names.csv").write_text(NAMES + "4,too many\n")
    with pytest.raises(DataError, match="class 4 is out of range; own has 4 classes"):
        convert(clips, tmp_path / "data", OWN, names=tmp_path / "names.csv")


def test_a_heading_above_the_names_shifts_no_label(clips, tmp_path):
    (tmp_path / "names.txt").write_text("Label\ncat\ndog\nhorse\nowl\n")
    (tmp_path / "labels.csv").write_text("dog.mp4,dog\nowl,owl\n")
    convert(clips, tmp_path / "data", OWN, labels=tmp_path / "labels.csv", names=tmp_path / "names.txt")
    assert {key: labels for key, (labels, _) in written(tmp_path / "data").items()} == {
        "dog.mp4": [1],
        "owl.mp4": [3],
    }
    assert vocabulary.read(tmp_path / "data/vocabulary.csv", OWN.classes)[3] == "owl"


def test_an_unknown_heading_is_asked_about(clips, tmp_path):
    (tmp_path / "names.txt").write_text("Klang\ncat\ndog\nhorse\nowl\n")
    with pytest.raises(DataError, match=r"own has 4 classes\. Delete line 1 if 'Klang' is a heading\.$"):
        convert(clips, tmp_path / "data", OWN, names=tmp_path / "names.txt")


# The whole pipeline, on real records


RECIPE = """
from yt8m_kit.recipe import Ensemble, Member, Recipe
from yt8m_kit.dataset import Dataset

RECIPE = Recipe(
    "sounds", "for tests", Dataset("sounds", (("audio", 128),), classes=20, max_frames=10),
    {"mean": Member("frame_logistic", batch_size=32, steps=60, learning_rate=1e-2)},
    {"best": Ensemble(("mean",))},
)
"""


def sounds(real_data, folder, split):
    """AudioSet clips of its first 20 classes in the format of MediaPipe, labels by name in a CSV."""
    (folder / split).mkdir(parents=True)
    lines = []
    for record in tf.data.TFRecordDataset(str(real_data / f"audioset/{split}0000.tfrecord")):
        built = tf.train.SequenceExample.FromString(record.numpy())
        labels = [n for n in built.context.feature["labels"].int64_list.value if n < 20]
        name = built.context.feature["video_id"].bytes_list.value[0].decode()
        frame_list = built.feature_lists.feature_list["audio_embedding"].feature
        if not labels:
            continue
        codes = np.array([np.frombuffer(frame.bytes_list.value[0], np.uint8) for frame in frame_list])
        (folder / split / f"{name}.pb").write_bytes(clip(f"/videos/{name}.mp4", {"audio": codes}))
        lines.append((name, ";".join(f"sound {n}" for n in labels)))
    with (folder / f"{split}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("video", "labels"), *lines])


def test_own_videos_pass_through_the_whole_pipeline(real_data, tmp_path, monkeypatch, capsys):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/sounds.py").write_text(RECIPE)
    monkeypatch.setenv("YT8M_RECIPES", str(tmp_path / "recipes"))
    (tmp_path / "names.txt").write_text("".join(f"sound {n}\n" for n in range(20)))
    data, runs = tmp_path / "data", tmp_path / "runs"
    for split in ("train", "validate"):
        sounds(real_data, tmp_path / "mediapipe", split)
        source = tmp_path / "mediapipe" / split
        words = ["convert", str(source), str(data), "--recipe=sounds", f"--split={split}"]
        assert main([*words, f"--labels={source}.csv", f"--vocabulary={tmp_path / 'names.txt'}"]) == 0
        assert main(["verify", f"--split={split}", "--recipe=sounds", f"--data={data}"]) == 0
        assert splits.count(find(data, split)) == len(list((tmp_path / "mediapipe" / split).iterdir()))
    shutil.copytree(data / "validate", data / "test")
    (data / "test" / "verified.json").unlink()
    places = [f"--data={data}", f"--runs={runs}"]
    for words in (["train", "mean"], ["average", "mean"], ["evaluate", "mean"], ["ensemble", "best"]):
        assert main([words[0], "sounds", words[1], *places]) == 0
    assert main(["export", "sounds", "best", f"--runs={runs}"]) == 0
    assert main(["predict", "sounds", "best", *places]) == 0
    capsys.readouterr()
    assert main(["show", "sounds", "best", "--videos=3", "--labels=2", *places]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.count("sound ") == 2 for line in lines)
    assert json.loads((runs / "sounds/mean/validate.weights.json").read_text())["gap"] > 0.7


def test_show_without_names_says_how_to_get_them(tmp_path, tiny_recipes, capsys):
    run = tmp_path / "tiny" / "netvlad"
    run.mkdir(parents=True)
    (run / "submission.csv").write_text("VideoId,LabelConfidencePairs\nabcd,3 0.5 1 0.25\n")
    words = ["show", "tiny", "netvlad", f"--data={tmp_path}", f"--runs={tmp_path}"]
    assert main(words) == 2
    assert (
        "columns Index and Name; for YouTube-8M: yt8m download vocabulary --data=" in capsys.readouterr().err
    )
    (tmp_path / "vocabulary.csv").write_text(NAMES)
    assert main(words) == 0
    assert capsys.readouterr().out == "abcd: owl 0.50, dog 0.25\n"


def test_show_of_one_video(tmp_path, tiny_recipes, capsys):
    run = tmp_path / "tiny" / "netvlad"
    run.mkdir(parents=True)
    (run / "submission.csv").write_text("VideoId,LabelConfidencePairs\nabcd,3 0.5 1 0.25\nabc,1 0.75\n")
    (tmp_path / "vocabulary.csv").write_text(NAMES)
    words = ["show", "tiny", "netvlad", f"--data={tmp_path}", f"--runs={tmp_path}"]
    assert main([*words, "--video=abc"]) == 0
    assert capsys.readouterr().out == "abc: dog 0.75\n"
    assert main([*words, "--video=ab"]) == 2
    assert "submission.csv has no video 'ab'" in capsys.readouterr().err
