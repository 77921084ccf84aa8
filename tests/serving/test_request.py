"""Bodies of requests: both formats of TensorFlow Serving, and what is refused."""

import base64
import json

import numpy as np
import pytest

from yt8m_kit.dataset import Dataset
from yt8m_kit.serving.messages.refusal import RefusalError
from yt8m_kit.serving.messages.request import parse

SMALL = Dataset("small", (("rgb", 3), ("audio", 1)), classes=5, max_frames=4)
FRAMES = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
LISTED = FRAMES.tolist()
ENCODED = {"b64": base64.b64encode(FRAMES.tobytes()).decode()}
VIDEO = {"frames": LISTED, "num_frames": 3}


def parsed(content):
    return parse(json.dumps(content).encode(), SMALL, 2)


@pytest.mark.parametrize("given", [LISTED, ENCODED], ids=["lists", "base64"])
@pytest.mark.parametrize("is_columnar", [True, False])
def test_videos_of_different_lengths_are_padded(given, is_columnar):
    short = {"frames": [[9, 8, 7, 6]], "num_frames": 1}
    rows = [{"frames": given, "num_frames": 2}, short]
    columns = {"frames": [given, short["frames"]], "num_frames": [2, 1]}
    request = parsed({"inputs": columns} if is_columnar else {"instances": rows})
    expected = np.zeros((2, 4, 4), np.uint8)
    expected[0, :3], expected[1, 0] = FRAMES, [9, 8, 7, 6]
    np.testing.assert_array_equal(request.inputs["frames"], expected)
    assert request.inputs["frames"].dtype == np.uint8
    assert request.inputs["num_frames"].dtype == np.int32
    assert request.inputs["num_frames"].tolist() == [2, 1]
    assert (request.signature, request.videos, request.is_columnar) == ("serving_default", 2, is_columnar)


@pytest.mark.parametrize(
    "content",
    [
        {"instances": [{"serialized": {"b64": "AAE="}}, {"serialized": {"b64": "AgA="}}]},
        {"instances": [{"b64": "AAE="}, {"b64": "AgA="}]},
        {"inputs": {"serialized": [{"b64": "AAE="}, {"b64": "AgA="}]}},
        {"inputs": [{"b64": "AAE="}, {"b64": "AgA="}]},
    ],
)
def test_records_are_bytes_also_with_zeros_at_their_ends(content):
    request = parsed({"signature_name": "records", **content})
    assert request.inputs["serialized"].tolist() == [b"\x00\x01", b"\x02\x00"]


def rows(*videos, **more):
    return {"instances": list(videos), **more}


BAD = {
    "no JSON": (b"{", "not JSON"),
    "no text": (b"\xff\xfe{", "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "no object": ([VIDEO], "must be an object"),
    "neither": ({"signature_name": "top"}, 'either "instances" or "inputs"'),
    "both": (rows(VIDEO, inputs={}), 'either "instances" or "inputs"'),
    "another key": (rows(VIDEO, signature="top"), "no key 'signature'"),
    "no list": ({"instances": VIDEO}, "must be a list"),
    "empty": (rows(), "must have 1 to 2 videos; got 0"),
    "too many": (rows(VIDEO, VIDEO, VIDEO), "must have 1 to 2 videos; got 3"),
    "missing input": (rows({"frames": LISTED}), "inputs frames and num_frames; got frames"),
    "another input": (rows(VIDEO | {"id": "x"}), "got frames, num_frames, id"),
    "no inputs": (rows(7), "got int"),
    "missing column": ({"inputs": {"frames": [LISTED]}}, "must have frames and num_frames; got frames"),
    "no columns": ({"inputs": 7}, "got int"),
    "column of one": ({"inputs": {"frames": [LISTED], "num_frames": 3}}, "must be lists"),
    "uneven": ({"inputs": {"frames": [LISTED], "num_frames": [3, 3]}}, "got 1 frames and 2 num_frames"),
    "no frames": (rows({"frames": {"b64": ""}, "num_frames": 0}), "frames must be 1 to 4; got 0"),
    "an empty list": (rows({"frames": [], "num_frames": 0}), "got the shape (0,)"),
    "too many frames": (rows({"frames": LISTED + LISTED, "num_frames": 3}), "frames must be 1 to 4; got 6"),
    "another width": (rows({"frames": [[1, 2, 3]], "num_frames": 1}), "(frames, 4); got the shape (1, 3)"),
    "ragged": (rows({"frames": [[1, 2, 3, 4], [1]], "num_frames": 1}), "differ in length"),
    "bytes of another width": (rows({"frames": {"b64": "AAE="}, "num_frames": 1}), "each; got 2 bytes"),
    "floats": (rows({"frames": [[0.5, 1, 2, 3]], "num_frames": 1}), "must be whole numbers from 0 to 255"),
    "texts": (rows({"frames": [["a", "b", "c", "d"]], "num_frames": 1}), "must be whole numbers"),
    "huge": (rows({"frames": [[2**70, 1, 2, 3]], "num_frames": 1}), "must be whole numbers"),
    "over a byte": (rows({"frames": [[256, 1, 2, 3]], "num_frames": 1}), "from 0 to 255; got 1 to 256"),
    "negative": (rows({"frames": [[-1, 1, 2, 3]], "num_frames": 1}), "from 0 to 255; got -1 to 3"),
    "no Base64": (rows({"frames": {"b64": "?"}, "num_frames": 1}), "frames is not Base64"),
    "no text in b64": (rows({"frames": {"b64": 7}, "num_frames": 1}), 'frames must be {"b64": text}'),
    "no count": (rows(VIDEO | {"num_frames": "3"}), "must be a whole number; got '3'"),
    "a fraction": (rows(VIDEO | {"num_frames": 2.0}), "must be a whole number; got 2.0"),
    "true": (rows(VIDEO | {"num_frames": True}), "must be a whole number; got True"),
    "num_frames 0": (rows(VIDEO | {"num_frames": 0}), "from 1 to the frames given, 3; got 0"),
    "over the frames": (rows(VIDEO, VIDEO | {"num_frames": 4}), "video 1: num_frames must be from 1"),
    "a text as record": (rows("abc", signature_name="records"), "video 0: serialized must be"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "complaint"), BAD.values(), ids=BAD)
def test_bad_bodies_are_refused(content, complaint):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(RefusalError) as refused:
        parse(body, SMALL, 2)
    assert refused.value.status == 400
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("signature", ["tops", 7, None, ["top"]])
def test_other_signatures_do_not_exist(signature):
    with pytest.raises(RefusalError, match="there are serving_default, top, records") as refused:
        parsed(rows(VIDEO, signature_name=signature))
    assert refused.value.status == 404
