"""The wire format of records: against TensorFlow's parser, unusual legal encodings, and invalid records."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from yt8m_kit.data.format import examples, tfrecord
from yt8m_kit.data.format.feature_quantization import requantize
from yt8m_kit.dataset import AUDIOSET, YOUTUBE8M_2018, Dataset
from yt8m_kit.errors import DataError

SMALL = Dataset("small", (("rgb", 7), ("audio", 3)), classes=10)
WIDE = Dataset("wide", (("rgb", 1024), ("audio", 128)), classes=3862)
HALF_STEP = 2 / 255


def frames(dataset, count, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 256, (count, width), np.uint8) for name, width in dataset.features}


def parse(record, dataset=SMALL):
    return examples.parse(np.frombuffer(record, np.uint8), dataset)


def records(path):
    index = tfrecord.index(path)
    data = path.read_bytes()
    assert len(index.offsets)
    return [data[offset : offset + length] for offset, length in zip(index.offsets, index.lengths)]


def by_tensorflow(record, dataset, id_key="id"):
    """Id, labels and frames as tf.io.parse_single_sequence_example and decode_raw give them."""
    context, lists = tf.io.parse_single_sequence_example(
        record,
        {id_key: tf.io.FixedLenFeature([], tf.string), "labels": tf.io.VarLenFeature(tf.int64)},
        {name: tf.io.FixedLenSequenceFeature([], tf.string) for name, _ in dataset.features},
    )
    parts = [tf.io.decode_raw(lists[name], tf.uint8).numpy() for name, _ in dataset.features]
    return context[id_key].numpy().decode(), context["labels"].values.numpy().tolist(), parts


def by_protobuf(record, dataset):
    """The same by the protobuf library, which accepts more than TensorFlow's fast parser."""
    built = tf.train.SequenceExample.FromString(record)
    lists = built.feature_lists.feature_list
    parts = [
        np.array([list(feature.bytes_list.value[0]) for feature in lists[name].feature])
        for name, _ in dataset.features
    ]
    context = built.context.feature
    return context["id"].bytes_list.value[0].decode(), list(context["labels"].int64_list.value), parts


def assert_same(video, expected):
    identity, labels, parts = expected
    assert video.id == identity
    assert video.labels == labels
    for mine, theirs in zip(video.features, parts, strict=True):
        np.testing.assert_array_equal(mine, theirs)


# Against TensorFlow


@pytest.mark.parametrize("count", [1, 2, 300, 360])
@pytest.mark.parametrize("labels", [[], [0], [3, 127, 128, 3861]], ids=str)
def test_tensorflow_reads_what_is_encoded(count, labels):
    features = frames(WIDE, count)
    record = examples.sequence_example("AbCd", labels, features)
    assert_same(parse(record, WIDE), ("AbCd", labels, list(features.values())))
    assert_same(parse(record, WIDE), by_tensorflow(record, WIDE))


def test_records_of_protobuf_are_read_in_any_order():
    features = frames(SMALL, 5)
    built = tf.train.SequenceExample()
    for name in ("audio", "rgb"):
        for row in features[name]:
            built.feature_lists.feature_list[name].feature.add().bytes_list.value.append(row.tobytes())
    built.context.feature["labels"].int64_list.value.extend([1, 9])
    built.context.feature["start"].float_list.value.append(3.5)
    built.context.feature["id"].bytes_list.value.append(b"wxyz")
    lists_first = tf.train.SequenceExample(feature_lists=built.feature_lists).SerializeToString()
    context = tf.train.SequenceExample(context=built.context).SerializeToString()
    for record in (built.SerializeToString(), lists_first + context, context + lists_first):
        assert_same(parse(record), ("wxyz", [1, 9], [features["rgb"], features["audio"]]))


def test_an_encoded_record_equals_the_one_of_protobuf():
    record = examples.sequence_example("id01", [4, 5], frames(SMALL, 3))
    built = tf.train.SequenceExample.FromString(record)
    assert list(built.context.feature["labels"].int64_list.value) == [4, 5]
    assert built.SerializeToString(deterministic=True) == tf.train.SequenceExample.FromString(
        built.SerializeToString()
    ).SerializeToString(deterministic=True)
    assert len(built.SerializeToString()) == len(record)


def test_real_frame_records(real_data):
    for record in records(real_data / "audioset" / "train0000.tfrecord")[:300]:
        assert_same(parse(record, AUDIOSET), by_tensorflow(record, AUDIOSET, "video_id"))


def test_frames_are_views_of_the_record():
    record = np.frombuffer(examples.sequence_example("abcd", [1], frames(WIDE, 300)), np.uint8)
    for feature in examples.parse(record, WIDE).features:
        assert np.shares_memory(feature, record)
        assert feature.strides == (
            feature.shape[1] + 9,
            1,
        )  # nine bytes of tags and lengths before each frame


# Video-level records


def test_real_video_records_are_quantized_within_half_a_step(real_data):
    for record in records(real_data / "yt8m_video" / "validate0000.tfrecord"):
        video = parse(record, YOUTUBE8M_2018)
        built = tf.train.Example.FromString(record).features.feature
        assert video.id == built["id"].bytes_list.value[0].decode()
        assert video.labels == list(built["labels"].int64_list.value)
        for (name, width), codes in zip(YOUTUBE8M_2018.features, video.features):
            assert codes.shape == (1, width)
            mean = np.array(built[f"mean_{name}"].float_list.value)
            floats = codes[0] * (4 / 255) + 4 / 512 - 2
            inside = (mean >= 4 / 512 - 2) & (mean <= 4 / 512 + 2)
            assert inside.mean() > 0.999
            assert np.abs(floats - mean)[inside].max() <= HALF_STEP


def test_every_byte_survives_dequantization():
    codes = np.arange(256)
    np.testing.assert_array_equal(requantize((codes * (4 / 255) + 4 / 512 - 2).astype(np.float32)), codes)


def test_means_beyond_the_range_are_clipped():
    np.testing.assert_array_equal(requantize(np.array([-9.0, 9.0])), [0, 255])


def test_tensorflow_reads_an_encoded_video_record():
    rng = np.random.default_rng(0)
    means = {name: rng.normal(0, 0.3, width).astype(np.float32) for name, width in SMALL.features}
    record = examples.example("abcd", [2, 7], means)
    parsed = tf.io.parse_single_example(
        record,
        {
            "id": tf.io.FixedLenFeature([], tf.string),
            "labels": tf.io.VarLenFeature(tf.int64),
            "mean_rgb": tf.io.FixedLenFeature([7], tf.float32),
            "mean_audio": tf.io.FixedLenFeature([3], tf.float32),
        },
    )
    assert parsed["id"].numpy() == b"abcd"
    assert parsed["labels"].values.numpy().tolist() == [2, 7]
    for name in means:
        np.testing.assert_array_equal(parsed[f"mean_{name}"], means[name])
    video = parse(record)
    assert (video.id, video.labels) == ("abcd", [2, 7])
    assert [feature.shape for feature in video.features] == [(1, 7), (1, 3)]


def test_unpacked_floats_are_read():
    means = {"rgb": np.linspace(-1, 1, 7, dtype=np.float32), "audio": np.zeros(3, np.float32)}
    packed = examples.example("abcd", None, means)
    values = means["rgb"].tobytes()
    one_by_one = b"".join(b"\x0d" + values[at : at + 4] for at in range(0, len(values), 4))
    entry = delimited(1, delimited(1, b"mean_rgb") + delimited(2, delimited(2, one_by_one)))
    video = parse(packed + delimited(1, entry))  # the last of equal keys wins
    np.testing.assert_array_equal(video.features[0], parse(packed).features[0])


# Legal, but not written by common writers


def delimited(number, payload, pad=0):
    """A field; pad: redundant bytes in the encoding of its length."""
    length = []
    size = len(payload)
    while True:
        size, low = divmod(size, 128)
        length.append(low | 0x80)
        if not size:
            break
    length += [0x80] * pad
    length[-1] &= 0x7F
    return bytes([number << 3 | 2, *length]) + payload


def frame(row, pad=0, extra=b""):
    return delimited(1, delimited(1, delimited(1, row, pad)) + extra)


def record_of(rgb, audio, context=None):
    """A record with the given encoded frames."""
    if context is None:
        context = delimited(1, delimited(1, b"id") + delimited(2, delimited(1, delimited(1, b"abcd"))))
    lists = b"".join(
        delimited(1, delimited(1, key) + delimited(2, b"".join(value)))
        for key, value in ((b"rgb", rgb), (b"audio", audio))
    )
    return delimited(1, context) + delimited(2, lists)


def rows(count, seed=0):
    features = frames(SMALL, count, seed)
    return [row.tobytes() for row in features["rgb"]], [row.tobytes() for row in features["audio"]]


@pytest.mark.parametrize(
    "encode",
    [
        lambda row: frame(row, pad=1),
        lambda row: frame(row, extra=b"\x98\x06\x01"),  # field 99, a varint
        lambda row: frame(row, extra=delimited(15, b"unknown")),
        lambda row: frame(row) + b"\x78\x05",  # field 15 of the list, between frames
    ],
    ids=["padded length", "unknown number", "unknown bytes", "unknown field between frames"],
)
def test_unusual_frames_are_read_without_the_fast_path(encode):
    # 13 is also the size of a usual frame with its header: the stride divides the list, only headers differ.
    rgb, audio = rows(13)
    record = record_of([encode(row) for row in rgb], [frame(row) for row in audio])
    assert_same(parse(record), by_protobuf(record, SMALL))
    mixed = record_of([frame(rgb[0]), encode(rgb[1]), *map(frame, rgb[2:])], [frame(row) for row in audio])
    assert_same(parse(mixed), by_protobuf(mixed, SMALL))


def test_unusual_context_is_read():
    rgb, audio = rows(2)
    identity = delimited(
        1, delimited(2, delimited(1, delimited(1, b"wxyz"), pad=2)) + delimited(1, b"id", pad=1)
    )
    labels = delimited(
        1, delimited(1, b"labels") + delimited(2, delimited(3, b"\x08\x03" + b"\x0a\x02\x84\x00\x08\x05"))
    )
    record = record_of([frame(row) for row in rgb], [frame(row) for row in audio], identity) + delimited(
        1, labels
    )
    assert_same(parse(record), by_protobuf(record, SMALL))
    assert parse(record).labels == [3, 4, 5]


def test_labels_may_be_absent():
    assert parse(examples.sequence_example("abcd", None, frames(SMALL, 2))).labels == []


def with_labels(labels, classes):
    dataset = dataclasses.replace(SMALL, classes=classes)
    return parse(examples.sequence_example("a", labels, frames(dataset, 1)), dataset).labels


@pytest.mark.parametrize("labels", [[0, 1, 0, 0], [0] * 4, [1] * 4])
def test_labels_as_a_vector_of_zeros_and_ones_are_refused(labels):
    with pytest.raises(DataError, match="labels is a vector of 4 zeros and ones"):
        with_labels(labels, 4)


@pytest.mark.parametrize(("labels", "classes"), [([0, 1], 2), ([0, 1, 1], 4), ([0], 1), ([3, 3, 1, 0], 4)])
def test_labels_that_are_no_vector_are_read(labels, classes):
    assert with_labels(labels, classes) == labels


def test_the_first_id_key_wins():
    features = frames(SMALL, 1)
    record = examples.sequence_example("later", [1], features, id_key="video_id")
    assert parse(record).id == "later"
    assert parse(record + examples.sequence_example("sooner", [1], features)).id == "sooner"


# Records that do not match the data set


def odd(**changes):
    """A record with some features replaced; None removes one."""
    features = frames(SMALL, 4)
    features.update({name: value for name, value in changes.items() if name in features})
    features = {name: value for name, value in features.items() if value is not None}
    return examples.sequence_example(changes.get("id", "abcd"), changes.get("labels", [1]), features)


U1 = np.uint8
ZEROS = {"rgb": np.zeros(7), "audio": np.zeros(3)}
OTHER_KEY = examples.sequence_example("x", [1], frames(SMALL, 4), id_key="name")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (odd(rgb=np.zeros((5, 7), U1)), "rgb has 5 frames but audio 4"),
        (odd(rgb=np.zeros((4, 8), U1)), "rgb frame 0 has 8 bytes; expected 7"),
        (odd(rgb=np.zeros((0, 7), U1), audio=np.zeros((0, 3), U1)), "rgb has no frames"),
        (odd(audio=None), "feature audio is missing; the record has rgb"),
        (odd(audio=None, rgb=None), "feature rgb is missing; the record has no feature lists"),
        (odd(labels=[1, 10]), "labels holds 10; expected 0 to 9"),
        (odd(labels=[-1]), "labels holds -1; expected 0 to 9"),
        (odd(labels=[2**63 - 1]), "labels holds 9223372036854775807"),
        (odd(id=""), "id is empty"),
        (OTHER_KEY, "id is missing; looked for id and video_id"),
        (examples.example("abcd", [1], {"rgb": np.zeros(7)}), "feature mean_audio is missing"),
        (examples.example("abcd", [1], ZEROS | {"rgb": np.zeros(6)}), "mean_rgb has 6 values; expected 7"),
        (
            examples.example("abcd", [1], ZEROS | {"rgb": np.full(7, np.nan)}),
            "mean_rgb holds a value that is not",
        ),
        (record_of([frame(bytes(7))] * 2, [frame(bytes(3)), frame(bytes(4))]), "audio frame 1 has 4 bytes"),
        (
            record_of([frame(bytes(7)), frame(bytes(6), pad=1)], [frame(bytes(3))] * 2),
            "rgb frame 1 has 6 bytes",
        ),
        (
            record_of([delimited(1, delimited(1, b"") * 2)], [frame(bytes(3))]),
            "rgb frame 0 is split into several lists",
        ),
        (record_of([delimited(1, b"")], [frame(bytes(3))]), "rgb frame 0 holds 0 values; expected one"),
        (b"", "id is missing"),
        (b"\x0a\x05abc", "not a SequenceExample"),
        (b"\xff" * 12, "not a SequenceExample"),
        (b"VideoId,Labels", "not a SequenceExample"),
    ],
)
def test_invalid_records_are_refused_by_name(record, said):
    with pytest.raises(DataError) as refusal:
        parse(record)
    assert said in str(refusal.value)


def test_wrong_kinds_are_refused_by_name():
    built = tf.train.SequenceExample()
    built.context.feature["id"].int64_list.value.append(7)
    with pytest.raises(DataError, match="id holds integers; expected bytes"):
        parse(built.SerializeToString())
    built.context.feature["id"].bytes_list.value.append(b"abcd")
    built.context.feature["labels"].float_list.value.append(1.0)
    with pytest.raises(DataError, match="labels holds floats; expected integers"):
        parse(built.SerializeToString())
    del built.context.feature["labels"]
    for name, width in SMALL.features:
        built.feature_lists.feature_list[name].feature.add().int64_list.value.extend([0] * width)
    with pytest.raises(DataError, match="rgb frame 0 holds integers; expected bytes"):
        parse(built.SerializeToString())


def test_real_records_with_wrong_widths_are_refused(real_data):
    """Their audio has frames of another width; their float rgb is valid."""
    found = records(real_data / "odd_records" / "float_rgb_unequal_lengths.tfrecord")
    rgb_only = dataclasses.replace(YOUTUBE8M_2018, features=(("rgb", 1024),))
    for record, count, width in zip(found, (15, 30, 31), (299, 600, 600), strict=True):
        with pytest.raises(DataError, match=f"audio frame 0 has {width} floats; expected 128"):
            parse(record, YOUTUBE8M_2018)
        video = parse(record, rgb_only)
        assert video.labels == [2, 17, 33]
        built = tf.train.SequenceExample.FromString(record).feature_lists.feature_list["rgb"]
        floats = np.array([feature.float_list.value for feature in built.feature])
        assert video.features[0].shape == (count, 1024)
        assert np.abs(video.features[0] * (4 / 255) - 2 - floats.clip(-2, 2)).max() <= HALF_STEP + 1e-6


# Own videos: floats, and MediaPipe's keys


def clip(rgb, audio, labels=(), path="/videos/a cat.mp4"):
    """A record as MediaPipe's feature extraction graph writes it, by protobuf."""
    built = tf.train.SequenceExample()
    built.context.feature["clip/data_path"].bytes_list.value.append(path.encode())
    built.context.feature["clip/start/timestamp"].int64_list.value.append(0)
    built.context.feature["RGB/feature/rate"].float_list.value.append(1.0)
    if labels:
        built.context.feature["clip/label/index"].int64_list.value.extend(labels)
    for name, frames in (("RGB", rgb), ("AUDIO", audio)):
        for second, frame in enumerate(frames):
            feature = built.feature_lists.feature_list[f"{name}/feature/floats"].feature.add()
            feature.float_list.value.extend(frame.tolist())
            times = built.feature_lists.feature_list[f"{name}/feature/timestamp"].feature.add()
            times.int64_list.value.append(second * 1_000_000)
    return built.SerializeToString()


def dequantized(codes):
    return (codes * (4 / 255) + 4 / 512 - 2).astype(np.float32)


def test_mediapipe_records_are_read_and_quantized():
    codes = frames(WIDE, 20)
    record = clip(dequantized(codes["rgb"]), dequantized(codes["audio"]), labels=[7, 3])
    video = parse(record, WIDE)
    assert video.id == "/videos/a cat.mp4"
    assert video.labels == [7, 3]
    for mine, original in zip(video.features, codes.values()):
        np.testing.assert_array_equal(mine, original)


def test_floats_are_clipped_and_rounded_as_the_extractor_does():
    rgb = np.array([[-9, -2, -1.999, 0, 0.0079, 2, 9]], np.float32)
    (codes, _) = parse(clip(rgb, np.zeros((1, 3), np.float32))).features
    assert codes.tolist() == [[0, 0, 0, 128, 128, 255, 255]]


def test_unpacked_and_packed_floats_are_equal():
    rows = np.linspace(-2, 2, 14, dtype=np.float32).reshape(2, 7)
    packed = parse(clip(rows, np.zeros((2, 3), np.float32))).features[0]
    singly = [
        delimited(1, delimited(2, b"".join(b"\x0d" + value.tobytes() for value in row))) for row in rows
    ]
    mixed = record_of(singly, [frame(bytes(3))] * 2)
    np.testing.assert_array_equal(parse(mixed).features[0], packed)


@pytest.mark.parametrize(("rgb", "audio", "count"), [(5, 4, 4), (4, 6, 4), (5, 5, 5)])
def test_streams_of_a_clip_may_differ_in_length_by_two_frames(rgb, audio, count):
    record = clip(np.zeros((rgb, 7), np.float32), np.zeros((audio, 3), np.float32))
    assert [len(feature) for feature in parse(record).features] == [count, count]


@pytest.mark.parametrize(
    ("rgb", "audio", "said"),
    [
        (np.zeros((9, 7)), np.zeros((6, 3)), "rgb has 9 frames but audio 6"),
        (np.zeros((2, 8)), np.zeros((2, 3)), "rgb frame 0 has 8 floats; expected 7"),
        (np.full((2, 7), np.nan), np.zeros((2, 3)), "rgb holds a value that is not finite"),
        (np.zeros((2, 7)), np.zeros((0, 3)), "feature audio is missing; the record has RGB/feature/floats"),
    ],
)
def test_invalid_clips_are_refused_by_name(rgb, audio, said):
    with pytest.raises(DataError) as refusal:
        parse(clip(rgb.astype(np.float32), audio.astype(np.float32)))
    assert said in str(refusal.value)


def test_a_sequence_example_of_means_alone_is_read():
    """As the starter's feature extractor writes it with --skip_frame_level_features."""
    built = tf.train.SequenceExample()
    built.context.feature["id"].bytes_list.value.append(b"cat.mp4")
    for name, width in SMALL.features:
        built.context.feature[f"mean_{name}"].float_list.value.extend([0.0] * width)
    assert [feature.shape for feature in parse(built.SerializeToString()).features] == [(1, 7), (1, 3)]


def test_features_outside_the_data_set_are_ignored():
    audio_only = dataclasses.replace(SMALL, features=(("audio", 3),))
    features = frames(SMALL, 4)
    video = parse(examples.sequence_example("abcd", [1], features), audio_only)
    np.testing.assert_array_equal(video.features[0], features["audio"])


def test_damaged_records_raise_only_data_errors():
    record = bytearray(examples.sequence_example("abcd", [1, 2], frames(SMALL, 3)))
    for size in range(len(record)):
        with pytest.raises(DataError):
            parse(bytes(record[:size]))
    for at in range(len(record)):
        for bit in range(8):
            record[at] ^= 1 << bit
            try:
                video = parse(bytes(record))
                assert video.features[0].shape[1:] == (7,)
                assert all(0 <= label < SMALL.classes for label in video.labels)
            except DataError:
                pass
            record[at] ^= 1 << bit
