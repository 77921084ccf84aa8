"""One read for several members: each gets the batches that it would read alone."""

import itertools
import socket
import threading
import time
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from tests.support.small_shards import SMALL, copies, five_shards, flip_payload
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.data.loader.faults import Faults
from yt8m_kit.data.loader.order import Position
from yt8m_kit.data.reading import soft_labels
from yt8m_kit.data.reading.soft_labels import SoftLabels
from yt8m_kit.errors import DataError, KitError
from yt8m_kit.training.one_read.reading import AHEAD, serve
from yt8m_kit.training.one_read.soft_labels import mixed_labels
from yt8m_kit.training.one_read.subscription import Subscription

SEED, HELD = 5, 2
SECONDS = 60  # for anything to happen on a machine that is busy


@pytest.fixture
def shards(tmp_path):
    return five_shards(tmp_path)


def alone(shards, rows, count, start=Position(), **more):  # noqa: B008 - immutable
    """The first batches of a read of one's own, copied."""
    batches = read_batches(shards, SMALL, rows, seed=SEED, epochs=None, start=start, **more)
    return copies(itertools.islice(batches, count))


class Served:
    """Batches served to members. read: positions of the batches read. subscriptions: by member."""

    def __init__(self, shards, names, **more):
        self.shards, self.more = shards, more
        self.read: list[Position] = []
        ends = {name: socket.socketpair() for name in names}
        self.subscriptions = {name: Subscription(theirs) for name, (_, theirs) in ends.items()}
        self.channels = {name: ours for name, (ours, _) in ends.items()}
        self.thread = threading.Thread(target=serve, args=(self.channels, SMALL, self.batches), daemon=True)
        self.thread.start()

    def batches(self, given):
        arguments = given._asdict()
        rows = arguments.pop("rows")
        batches = read_batches(self.shards, SMALL, rows, seed=SEED, epochs=None, **arguments, **self.more)
        for batch in batches:
            self.read.append(batch.position)
            yield batch

    def take(self, name, rows, start=Position(), *, is_changed=False):  # noqa: B008 - immutable
        """Batches of a member, whose subscription ends with them."""
        subscription = self.subscriptions[name]
        return subscription.until_closed(
            subscription.batches(start, rows, SMALL, HELD, is_changed=is_changed)
        )


@contextmanager
def serving(shards, *names, **more):
    served = Served(shards, names, **more)
    yield served
    for subscription in served.subscriptions.values():
        subscription.close()
    served.thread.join(SECONDS)
    assert not served.thread.is_alive()
    for channel in served.channels.values():
        channel.close()


def taken(streams, counts):
    """So many batches of each stream, copied as they come, all streams at the same time."""
    found: dict = {}

    def take(name):
        try:
            found[name] = copies(itertools.islice(streams[name], counts[name]))
        except Exception as error:
            found[name] = error
        streams[name].close()

    threads = [threading.Thread(target=take, args=(name,), daemon=True) for name in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return found


@pytest.mark.parametrize("readers", [1, 2])
def test_batches_are_those_of_a_read_of_ones_own(readers, shards):
    """Multiples, over ends of groups and epochs, with bad records, by one reader and by two processes."""
    flip_payload(shards[0], 17)
    flip_payload(shards[3], 2)
    rows, counts = {"a": 4, "b": 8, "c": 4, "d": 12}, {"a": 40, "b": 20, "c": 33, "d": 13}
    with serving(shards, *rows, readers=readers, mix=2) as served:
        streams = {name: served.take(name, rows[name], is_changed=name == "c") for name in rows}
        found = taken(streams, counts)
    for name in rows:
        assert found[name] == alone(shards, rows[name], counts[name], mix=2), name


def test_each_batch_is_read_once(shards):
    with serving(shards, "a", "b", "c") as served:
        found = taken({name: served.take(name, 4) for name in "abc"}, dict.fromkeys("abc", 30))
    assert [len(batches) for batches in found.values()] == [30] * 3
    assert len(set(served.read)) == len(served.read) <= 30 + AHEAD + 1


def test_members_begin_where_they_stand(shards):
    """One from the start, one 48 videos later, one in the second epoch; one needs none."""
    starts = {"a": Position(), "b": alone(shards, 8, 6)[-1][4], "c": alone(shards, 4, 15)[-1][4]}
    rows, counts = {"a": 4, "b": 8, "c": 4}, {"a": 20, "b": 6, "c": 9}
    with serving(shards, *rows, "done") as served:
        served.subscriptions["done"].close()
        found = taken({name: served.take(name, rows[name], starts[name]) for name in rows}, counts)
    assert starts["c"].epoch == 1
    for name in rows:
        assert found[name] == alone(shards, rows[name], counts[name], starts[name]), name


def test_a_position_between_batches_is_refused(shards):
    with serving(shards, "a", "b") as served:
        streams = {"a": served.take("a", 4), "b": served.take("b", 4, Position(0, 0, 6))}
        found = taken(streams, {"a": 5, "b": 1})
    assert found["a"] == alone(shards, 4, 5)
    assert isinstance(found["b"], KitError)
    assert "resumes at (0, 0, 6), where no batch of the common read ends" in str(found["b"])


def test_the_slowest_member_sets_the_pace(shards):
    with serving(shards, "fast", "slow") as served:
        slow, fast = served.take("slow", 4), served.take("fast", 4)
        ahead: list = []

        def run():
            with suppress(KitError):  # when the subscription ends
                ahead.extend(fast)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        held = [next(slow) for _ in range(HELD + 1)]
        thread.join(0.5)
        assert len(ahead) <= len(held) + AHEAD
        assert len(served.read) <= len(held) + AHEAD
        # The arrays that it still uses are those that it was given.
        assert copies(held) == alone(shards, 4, len(held))
        slow.close()  # then nothing holds the other one
        until = time.monotonic() + SECONDS
        while len(ahead) < 50 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(ahead) >= 50
        served.subscriptions["fast"].close()
        thread.join(SECONDS)


def test_an_error_of_the_reader_reaches_each_member_after_the_batches_before(shards):
    flip_payload(shards[0], 17)
    with serving(shards, "a", "b", strict=True) as served:
        found = taken({name: served.take(name, 4) for name in "ab"}, dict.fromkeys("ab", 99))
    with pytest.raises(DataError) as expected:
        alone(shards, 4, 99, strict=True)
    for name in "ab":
        assert isinstance(found[name], KitError)
        assert (str(found[name]), found[name].exit_code) == (str(expected.value), 1)


def test_an_error_before_the_first_batch(shards):
    for path in shards:
        path.write_bytes(b"no records")
    with serving(shards, "a", faults=Faults(0.5)) as served:
        found = taken({"a": served.take("a", 4)}, {"a": 1})
    assert "no usable record" in str(found["a"])


def test_the_end_of_the_reading_process_is_an_error():
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(KitError, match="the process that reads the records has ended"):
        next(Subscription(theirs).batches(Position(), 4, SMALL, HELD, is_changed=False))


def teach(folder, shards, missing=""):
    """Soft labels of three classes for each video."""
    for path in shards:
        known = [
            video for batch in read_batches([path], SMALL, 64) for video in batch.ids if video != missing
        ]
        rng = np.random.default_rng(len(known))
        labels = np.array([rng.permutation(SMALL.classes)[:3] for _ in known])
        probabilities = rng.random((len(known), 3))
        soft_labels.write(soft_labels.side_file(folder, path), known, labels, probabilities)
    return SoftLabels(folder, 0.25)


def test_soft_labels_are_mixed_as_by_a_reader_of_ones_own(shards, tmp_path):
    taught = teach(tmp_path / "soft", shards)
    with serving(shards, "a", "student") as served:
        student = mixed_labels(served.take("student", 8, is_changed=True), taught)
        found = taken({"a": served.take("a", 4), "student": student}, {"a": 20, "student": 10})
    assert found["a"] == alone(shards, 4, 20)
    assert found["student"] == alone(shards, 8, 10, soft_labels=taught)
    assert found["student"] != alone(shards, 8, 10)


def test_a_video_without_soft_labels_ends_the_student(shards, tmp_path):
    taught = teach(tmp_path / "soft", shards, missing="v005")
    with serving(shards, "student") as served:
        stream = served.take("student", 8, is_changed=True)
        found = taken({"student": mixed_labels(stream, taught)}, {"student": 10})
        assert stream.gi_frame is None, "it is closed"
    assert "no soft labels for video 'v005'; train this member with a command of its own" in str(
        found["student"]
    )
