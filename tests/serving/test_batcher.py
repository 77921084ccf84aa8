"""Batches: what runs together, who is blamed, what is left at the end."""

import threading
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack

import numpy as np
import pytest

from yt8m_kit.serving.batcher import Batcher
from yt8m_kit.serving.limits import Limits
from yt8m_kit.serving.messages.refusal import RefusalError
from yt8m_kit.serving.messages.request import Request
from yt8m_kit.serving.metrics import Metrics

PATIENT = Limits(batch=8, wait=30.0, queue=10)


def request(*values, signature="top"):
    return Request(signature, {"x": np.array(values)}, len(values), False)


class Graph:
    """Doubles numbers, refuses negative ones; notes what runs together."""

    def __init__(self):
        self.runs = []

    def __call__(self, signature, inputs):
        self.runs.append((signature, inputs["x"].tolist()))
        if (inputs["x"] < 0).any():
            raise RefusalError(400, "negative")
        if (inputs["x"] > 99).any():
            raise ZeroDivisionError
        return {"y": inputs["x"] * 2}


def run_of(requests, limits=PATIENT):
    """Queue the requests, then run them all; the runs, and the futures."""
    batcher, graph = Batcher(limits, Metrics()), Graph()
    with ExitStack() as places:
        queues = [places.enter_context(batcher.place()) for _ in requests]
        futures = [queue(each) for queue, each in zip(queues, requests)]
        batcher.close()
        batcher.work(graph)
    return graph.runs, futures


def outputs(futures):
    return [future.result(0)["y"].tolist() for future in futures]


def test_requests_share_runs_up_to_the_batch():
    runs, futures = run_of([request(1, 2, 3), request(4, 5, 6), request(7, 8, 9), request(10)])
    assert runs == [("top", [1, 2, 3, 4, 5, 6, 10]), ("top", [7, 8, 9])]
    assert outputs(futures) == [[2, 4, 6], [8, 10, 12], [14, 16, 18], [20]]


def test_signatures_run_apart():
    runs, futures = run_of([request(1), request(2, signature="records"), request(3)])
    assert runs == [("top", [1, 3]), ("records", [2])]
    assert outputs(futures) == [[2], [4], [6]]


def test_one_bad_request_fails_alone():
    runs, futures = run_of([request(1), request(-2), request(3)])
    assert runs == [("top", [1, -2, 3]), ("top", [1]), ("top", [-2]), ("top", [3])]
    assert isinstance(futures.pop(1).exception(0), RefusalError)
    assert outputs(futures) == [[2], [6]]


def test_a_fault_reaches_all_of_the_batch_and_work_goes_on():
    _, futures = run_of([request(1), request(100), request(3, signature="records")])
    assert [type(future.exception(0)) for future in futures[:2]] == [ZeroDivisionError] * 2
    assert outputs(futures[2:]) == [[6]]


def test_requests_that_were_given_up_do_not_run():
    batcher, graph = Batcher(PATIENT, Metrics()), Graph()
    with batcher.place() as one, batcher.place() as other:
        given_up, kept = one(request(1)), other(request(2))
        assert given_up.cancel()
        batcher.close()
        batcher.work(graph)
    assert graph.runs == [("top", [2])]
    assert outputs([kept]) == [[4]]
    with pytest.raises(CancelledError):
        given_up.result(0)


def test_a_full_queue_refuses_and_has_room_again():
    batcher = Batcher(PATIENT._replace(queue=1), Metrics())
    with batcher.place():
        assert batcher.queued == 1
        with pytest.raises(RefusalError, match="1 requests are in the queue") as refused, batcher.place():
            pass
        assert refused.value.status == 503
    with batcher.place():
        pass
    assert batcher.queued == 0


@pytest.fixture
def working():
    """A batcher at work, and its graph."""
    batcher, graph = Batcher(PATIENT, Metrics()), Graph()
    thread = threading.Thread(target=batcher.work, args=(graph,))
    thread.start()
    yield batcher, graph
    batcher.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_request_that_comes_alone_does_not_wait(working):
    batcher, _ = working
    began = time.monotonic()
    with batcher.place() as queue:
        queue(request(1)).result(20)
    assert time.monotonic() - began < PATIENT.wait / 2


def test_a_run_waits_once_for_as_many_as_there_were():
    batcher, graph = Batcher(PATIENT._replace(wait=1.0), Metrics()), Graph()
    thread = threading.Thread(target=batcher.work, args=(graph,))
    thread.start()
    taken = []
    try:
        with batcher.place() as one, batcher.place() as other:
            outputs_of(one(request(1)), other(request(2)))
        for _ in range(2):
            began = time.monotonic()
            with batcher.place() as queue:
                queue(request(3)).result(20)
            taken.append(time.monotonic() - began)
    finally:
        batcher.close()
        thread.join(10)
    assert taken[0] >= 0.9 > taken[1]
    assert graph.runs == [("top", [1, 2]), ("top", [3]), ("top", [3])]


def test_a_run_waits_for_what_is_on_its_way(working):
    batcher, graph = working
    with batcher.place() as one, batcher.place() as other:
        first = one(request(1))
        time.sleep(0.2)
        assert not graph.runs
        second = other(request(2))
        assert outputs_of(first, second) == [[2], [4]]
    assert graph.runs == [("top", [1, 2])]


def outputs_of(*futures):
    return [future.result(20)["y"].tolist() for future in futures]


def test_a_run_does_not_wait_for_a_request_that_turned_out_bad(working):
    batcher, graph = working
    with batcher.place() as one:
        with batcher.place():
            first = one(request(1))
            time.sleep(0.1)
            assert not graph.runs
        assert outputs_of(first) == [[2]]
