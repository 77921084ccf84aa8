"""The CSV: what is written can be read back, and what Kaggle would refuse is refused here by line."""

import numpy as np
import pytest

from yt8m_kit.errors import KitError
from yt8m_kit.submission.csv_reader import HEADER, check, read
from yt8m_kit.submission.csv_writer import text

CLASSES = 100


def made(videos=3):
    rng = np.random.default_rng(0)
    labels = np.stack([rng.permutation(CLASSES)[:20] for _ in range(videos)]).astype(np.int32)
    confidences = -np.sort(-rng.random((videos, 20), dtype=np.float32), axis=1)
    return [f"v{i}" for i in range(videos)], labels, confidences


def write(path, lines):
    path.write_text(HEADER + "\n" + "".join(lines))
    return path


def test_a_row_is_written_as_the_starter_writes_it():
    confidences = np.array([[0.5, 1 / 3, 1e-7]], np.float32)
    assert text(["abcd"], np.array([[7, 0, 3861]], np.int32), confidences) == (
        "abcd,7 0.5 0 0.333333 3861 1e-07\n"
    )


def test_every_confidence_is_written_as_python_writes_it():
    rng = np.random.default_rng(0)
    steps = np.concatenate([np.linspace(0, 1, 10_001), np.arange(1, 8192) / 8192, 10.0 ** -np.arange(45)])
    near = np.concatenate([10.0**-exponent * (1 + np.linspace(-1e-6, 1e-6, 41)) for exponent in range(39)])
    odd = [np.nan, np.inf, -0.25, 1.5, -1.5e-30, 0.9999995]
    values = [steps, near, rng.random(200_000) ** 60, np.array(odd)]
    confidences = np.concatenate(values).astype(np.float32)
    confidences = confidences[: confidences.size // 20 * 20].reshape(-1, 20)
    labels = rng.integers(0, 12_000, confidences.shape).astype(np.int32)
    ids = [f"é{number}" * (number % 3 + 1) for number in range(len(labels))]
    line = "%s," + " ".join(["%i %g"] * 20)
    plain = [
        line % (video, *(number for pair in zip(row.tolist(), values.tolist()) for number in pair))
        for video, row, values in zip(ids, labels, confidences)
    ]
    assert text(ids, labels, confidences).splitlines() == plain


def test_round_trip(tmp_path):
    ids, labels, confidences = made()
    path = write(tmp_path / "s.csv", text(ids, labels, confidences))
    got_ids, got_labels, got_confidences = read(path, CLASSES)
    assert got_ids == ids
    np.testing.assert_array_equal(got_labels, labels)
    np.testing.assert_allclose(got_confidences, confidences, rtol=1e-5)
    check(path, CLASSES, 3)


def test_fewer_classes_than_twenty(tmp_path):
    path = write(tmp_path / "s.csv", ["a,1 0.5 0 0.25\n"])
    assert read(path, 2)[1].tolist() == [[1, 0]]


def broken(change):
    ids, labels, confidences = made()
    lines = text(ids, labels, confidences).splitlines(keepends=True)
    lines[1] = change(lines[1])
    return lines


def swap(line, position, value):
    video, text = line.rstrip("\n").split(",")
    words = text.split(" ")
    words[position] = value
    return f"{video},{' '.join(words)}\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line.replace("v1", "v0"), "'v0' occurs more than once"),
        (lambda line: " ".join(line.split(" ")[:-2]) + "\n", "line 3 must hold an id and 20 pairs"),
        (
            lambda line: swap(line, 1, "high"),
            "line 3 must hold numbers: .*'high'",
        ),
        (lambda line: swap(line, 0, "100"), "line 3: labels must be whole numbers from 0 to 99"),
        (lambda line: swap(line, 0, "1.5"), "line 3: labels must be whole numbers"),
        (lambda line: swap(line, 0, line.split(" ")[2]), "line 3: label .* occurs twice"),
        (lambda line: swap(line, 1, "nan"), "line 3: confidences must lie between 0 and 1"),
        (lambda line: swap(line, 1, "1.5"), "line 3: confidences must lie between 0 and 1"),
        (lambda line: swap(line, 39, "1"), "line 3: confidences must not increase"),
    ],
)
def test_what_is_wrong_is_named_by_line(tmp_path, change, message):
    path = write(tmp_path / "s.csv", broken(change))
    with pytest.raises(KitError, match=message):
        check(path, CLASSES, 3)


def test_header_and_row_count(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("VideoId,Labels\n")
    with pytest.raises(KitError, match="line 1 must be"):
        check(path, CLASSES, 0)
    write(path, text(*made()))
    with pytest.raises(KitError, match="has 3 rows; the split has 4 videos"):
        check(path, CLASSES, 4)
