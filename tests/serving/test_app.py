"""Limits of the application, driven as an ASGI server drives it, with a graph that never answers or fails."""

import asyncio
import json
import threading

import pytest

from yt8m_kit.dataset import Dataset
from yt8m_kit.serving.app import App
from yt8m_kit.serving.limits import Limits

SMALL = Dataset("small", (("rgb", 3), ("audio", 1)), classes=5, max_frames=4)
BODY = json.dumps({"instances": [{"frames": [[1, 2, 3, 4]], "num_frames": 1}]}).encode()
LIMITS = Limits(timeout=0.2, body=1000, queue=1)


@pytest.fixture
def app():
    made = App("blend", SMALL, {}, LIMITS)
    made.signatures = {}
    return made


async def asked(app, path="/v1/models/blend:predict", parts=(BODY,), method="POST"):
    """Status, content and headers; without a last part the body never ends."""
    left = [{"type": "http.request", "body": part, "more_body": True} for part in parts[:-1]]
    if parts[-1] is not None:
        left.append({"type": "http.request", "body": parts[-1]})
    sent = []

    async def receive():
        return left.pop(0) if left else await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    await app({"type": "http", "method": method, "path": path}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"]), dict(sent[0]["headers"]), left


def test_no_answer_in_time_is_504(app):
    status, content, *_ = asyncio.run(asked(app))
    assert (status, content) == (504, {"error": "no answer within 0.2 s; ask again later."})
    assert app.batcher.queued == 0


def test_a_body_that_does_not_end_is_504(app):
    status, *_ = asyncio.run(asked(app, parts=(BODY[:9], None)))
    assert status == 504


def test_a_graph_that_fails_is_500_and_a_line(app, capsys):
    def fail(signature, inputs):
        raise MemoryError("no room\nfor this")

    thread = threading.Thread(target=app.batcher.work, args=(fail,))
    thread.start()
    status, content, *_ = asyncio.run(asked(app))
    app.batcher.close()
    thread.join(10)
    assert status == 500
    assert content == {"error": "the graph could not run: MemoryError: no room for this"}
    assert capsys.readouterr().err == "yt8m: a request failed: MemoryError: no room for this\n"
    assert 'yt8m_requests_total{status="500"} 1' in app.metrics.text(queue=0, ready=True)


def test_a_body_too_large_is_413_once_it_was_read(app):
    status, content, _, left = asyncio.run(asked(app, parts=(b"[" * 600, b"[" * 600, b"[" * 9000)))
    assert (status, content) == (413, {"error": "a request must have at most 1,000 bytes."})
    assert not left


def test_a_full_queue_is_503_with_the_time_to_wait(app):
    async def two():
        return await asyncio.gather(asked(app), asked(app))

    replies = asyncio.run(two())
    assert sorted(status for status, *_ in replies) == [503, 504]
    [(_, content, headers, left)] = [reply for reply in replies if reply[0] == 503]
    assert content == {"error": "1 requests are in the queue; ask again later."}
    assert headers[b"retry-after"] == b"1"
    assert not left


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/healthz", "GET", 503),
        ("/v1/models/blend", "GET", 200),
        ("/v1/models/blend/metadata", "GET", 503),
        ("/v1/models/blend:predict", "POST", 503),
    ],
)
def test_until_the_graph_is_loaded(path, method, status):
    found, content, *_ = asyncio.run(asked(App("blend", SMALL, {}, LIMITS), path, method=method))
    assert found == status
    assert status == 503 or content["model_version_status"][0]["state"] == "LOADING"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/models/other:predict", "POST", 404),
        ("/v1/models/other", "GET", 404),
        ("/v1/models/blend:classify", "POST", 404),
        ("/v1/models/blend/versions/2", "GET", 404),
        ("/v1/models/blend/versions/1", "GET", 200),
        ("/", "GET", 404),
        ("/v1/models/blend:predict", "GET", 405),
        ("/v1/models/blend", "POST", 405),
    ],
)
def test_other_places_and_methods(app, path, method, status):
    found, content, headers, _ = asyncio.run(asked(app, path, method=method))
    assert found == status
    assert (status == 200) != ("error" in content)
    assert (b"allow" in headers) == (status == 405)
