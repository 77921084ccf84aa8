"""`yt8m serve`: a process on the loopback, against the graph called directly."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.support.serving import Server, b64
from yt8m_kit.data.format import tfrecord
from yt8m_kit.data.format.examples import sequence_example
from yt8m_kit.data.loader import splits
from yt8m_kit.data.loader.batches import read_batches
from yt8m_kit.dataset import DEMO
from yt8m_kit.errors import KitError
from yt8m_kit.export import label_names
from yt8m_kit.serving.limits import Limits
from yt8m_kit.serving.server import run
from yt8m_kit.serving.sockets import listening

NAMES = {0: "Game", 2: "Vehicle"}


def assert_close(found, expected):
    """Equal but for sums in another order, as batches differ in size."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def batch(tiny_data):
    return next(read_batches(splits.find(tiny_data.path, "validate"), DEMO, 8))


@pytest.fixture(scope="module")
def records(tiny_data):
    """The first records of a shard, serialized."""
    [shard, *_] = sorted(tiny_data.path.glob("validate*.tfrecord"))
    index, content = tfrecord.index(shard), shard.read_bytes()
    pairs = zip(index.offsets.tolist(), index.lengths.tolist())
    return [content[start : start + size] for start, size in pairs][:8]


def called(graph, signature, **inputs):
    import tensorflow as tf

    given = {name: tf.constant(value) for name, value in inputs.items()}
    return {key: value.numpy() for key, value in graph[signature](**given).items()}


def rows_of(batch):
    """Half of the videos as lists of their own frames, half as bytes padded to 32 frames."""
    rows = []
    for number, (frames, count) in enumerate(zip(batch.frames, batch.num_frames.tolist())):
        given = frames[:count].tolist() if number % 2 else b64(frames.tobytes())
        rows.append({"frames": given, "num_frames": count})
    return rows


def test_probabilities_in_both_formats(server, graph, batch):
    expected = called(graph, "serving_default", frames=batch.frames, num_frames=batch.num_frames)
    rows = rows_of(batch)
    status, found = server.predict({"instances": rows})
    assert status == 200
    assert_close(found["predictions"], expected["probabilities"])
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    status, found = server.predict({"inputs": columns, "signature_name": "serving_default"})
    assert status == 200
    assert_close(found["outputs"], expected["probabilities"])


def test_top_labels_have_names(server, graph, batch):
    expected = called(graph, "top", frames=batch.frames, num_frames=batch.num_frames)
    status, found = server.predict({"instances": rows_of(batch), "signature_name": "top"})
    assert status == 200
    assert [row["labels"] for row in found["predictions"]] == expected["labels"].tolist()
    confidences = [row["confidences"] for row in found["predictions"]]
    assert_close(confidences, expected["confidences"])
    for row in found["predictions"]:
        assert row["names"] == [NAMES.get(label) for label in row["labels"]]
    assert {name for row in found["predictions"] for name in row["names"]} > {None}


def test_records_have_their_ids(server, graph, records):
    expected = called(graph, "records", serialized=records)
    status, found = server.predict({"instances": [*map(b64, records)], "signature_name": "records"})
    assert status == 200
    assert [row["ids"] for row in found["predictions"]] == [name.decode() for name in expected["ids"]]
    assert [row["labels"] for row in found["predictions"]] == expected["labels"].tolist()
    columns = {"inputs": {"serialized": [*map(b64, records)]}, "signature_name": "records"}
    status, found = server.predict(columns)
    assert status == 200
    assert found["outputs"].keys() == {"ids", "labels", "confidences", "names"}
    assert found["outputs"]["labels"] == expected["labels"].tolist()


def bad_record(width=1024, rgb=3, audio=3):
    features = {"rgb": np.zeros((rgb, width), np.uint8), "audio": np.zeros((audio, 128), np.uint8)}
    return sequence_example("x", [1], features)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (b"no record", "Invalid protocol message"),
        (b"", "Feature list 'audio' is required"),
        (bad_record(width=7), "rgb frames must have 1024 bytes."),
        (bad_record(audio=2), "rgb and audio must have one frame each a second."),
        (bad_record(rgb=0, audio=0), "num_frames must be at least 1."),
    ],
)
def test_records_that_the_graph_refuses_fail_alone(server, records, record, complaint):
    def ask(each):
        return server.predict({"instances": [b64(each)], "signature_name": "records"})

    with ThreadPoolExecutor(4) as pool:
        replies = [*pool.map(ask, [records[0], record, records[1], records[2]])]
    assert [status for status, _ in replies] == [200, 400, 200, 200]
    assert complaint in replies[1][1]["error"]
    assert "\n" not in replies[1][1]["error"]


def test_bad_requests_have_one_line_and_their_status(server):
    video = {"frames": b64(bytes(1152)), "num_frames": 1}
    for status, content in (
        (400, b"{"),
        (400, {"instances": []}),
        (400, {"instances": [video] * 33}),
        (400, {"instances": [video | {"num_frames": 2}]}),
        (404, {"instances": [video], "signature_name": "other"}),
        (413, b" " * 8_000_001),
    ):
        found, reply = server.predict(content)
        assert found == status
        assert reply.keys() == {"error"}
    assert server.ask("POST", "/v1/models/other:predict", b"{}")[0] == 404
    assert server.predict({"instances": [video]})[0] == 200


def test_requests_at_a_time_run_together(server, graph, batch):
    rows = rows_of(batch)
    expected = called(graph, "top", frames=batch.frames, num_frames=batch.num_frames)["labels"]
    before = server.metrics()
    with ThreadPoolExecutor(8) as pool:
        bodies = [{"instances": [row], "signature_name": "top"} for row in rows]
        replies = [*pool.map(server.predict, bodies)]
    assert [reply["predictions"][0]["labels"] for _, reply in replies] == expected.tolist()
    after = server.metrics()
    runs = after["yt8m_batch_videos_count"] - before["yt8m_batch_videos_count"]
    assert after["yt8m_videos_total"] - before["yt8m_videos_total"] == 8
    assert 1 <= runs < 8
    answered = 'yt8m_requests_total{status="200"}'
    assert after[answered] - before[answered] == 8
    assert after["yt8m_queue_requests"] == 0


def test_status_metadata_and_health(server):
    status, content = server.ask("GET", "/v1/models/blend")
    assert status == 200
    assert json.loads(content)["model_version_status"][0]["state"] == "AVAILABLE"
    status, content = server.ask("GET", "/v1/models/blend/metadata")
    about = json.loads(content)
    assert about["model_spec"] == {"name": "blend", "signature_name": "", "version": "1"}
    signatures = about["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == {"serving_default", "top", "records"}
    frames = signatures["top"]["inputs"]["frames"]
    assert frames["dtype"] == "DT_UINT8"
    assert [size["size"] for size in frames["tensor_shape"]["dim"]] == ["-1", "32", "1152"]
    assert signatures["records"]["outputs"]["confidences"]["dtype"] == "DT_FLOAT"
    assert server.ask("GET", "/healthz") == (200, b'{"status": "ready"}')


def test_small_answers_are_not_held_back(server):
    """Nagle's algorithm and the client's delayed acknowledgement would take 40 ms."""
    connection, taken = server.connection(), []
    for _ in range(10):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
    connection.close()
    assert min(taken[1:]) < 0.03


def test_what_it_says(server, served_runs):
    assert server.said[0] == f"serve tiny blend: {served_runs / 'tiny/blend/graph'}\n"
    assert server.said[-1].startswith(f"serving at http://127.0.0.1:{server.port}/v1/models/blend")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.long
def test_a_signal_ends_it_after_running_requests(served_runs, records, number):
    with Server(served_runs) as server:
        body = json.dumps({"instances": [b64(records[0])], "signature_name": "records"}).encode()
        connection = server.connection()
        connection.putrequest("POST", "/v1/models/blend:predict")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[:1000])
        while server.metrics()["yt8m_queue_requests"] == 0:
            time.sleep(0.01)
        server.process.send_signal(number)
        time.sleep(1)
        with pytest.raises(ConnectionRefusedError):
            server.ask("GET", "/healthz")
        connection.send(body[1000:])
        reply = connection.getresponse()
        assert reply.status == 200
        assert len(json.loads(reply.read())["predictions"][0]["labels"]) == 20
        connection.close()
        assert server.process.wait(30) == 0
        assert server.last_words() == ""


def test_a_graph_that_cannot_be_loaded_ends_the_server(tmp_path):
    opened = listening("127.0.0.1", 0)
    with pytest.raises(KitError, match="cannot load"):
        run("blend", DEMO, {}, tmp_path, opened=opened, limits=Limits())
    assert opened.fileno() == -1  # closed


def test_names_beside_the_graph(served_runs, tmp_path):
    assert label_names.read(served_runs / "tiny/blend/graph") == NAMES
    assert label_names.read(tmp_path) == {}
