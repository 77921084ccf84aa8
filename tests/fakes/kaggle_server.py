"""A loopback server that speaks Kaggle's side of a submission, and fails where it is told to.

It answers the calls of the unmodified kaggle package (JSON, camel case, default values left out) and the
resumable uploads of the storage behind them. To be reached in process (see conftest.py) or, as the proxy of
another process, see `environment`.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import struct
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

USER, KEY, TOKEN = "someone", "5ecre7-legacy-key", "KGAT_5ecre7-token"
BLOB, PLACE = "5ecre7-blob-token", "5ecre7-upload-id"
SECRETS = (KEY, TOKEN, BLOB, PLACE)
COMPETITION = "youtube8m-2018"
ALWAYS = 1_000_000

STEPS = {
    "IntrospectToken": "auth",
    "StartSubmissionUpload": "start",
    "CreateSubmission": "create",
    "GetSubmission": "poll",
    "ListSubmissions": "list",
    "GetSubmissionLimits": "limits",
    "GetLeaderboard": "board",
    "GetCompetition": "info",
}


class Fault(NamedTuple):
    """What happens at a step instead of the answer.

    kind: "status" (an error in JSON), "html" (one in HTML), "garbage" (200, no JSON), "body" (200 with
    `message` as it is), "redirect" (307 to the same URL), "silent" (no answer at all), "drip" (byte by byte),
    "reset" (the connection), "late" (answered after `seconds`); of an upload also "cut" and "stall" after
    `at` bytes, and "unfinished" (308 whatever was received). made: the call is carried out all the same.
    """

    kind: str
    status: int = 0
    message: str = ""
    retry_after: str = ""
    at: int = 0
    seconds: float = 0
    made: bool = False


class Seen(NamedTuple):
    """A request. body: of calls. at, size: first byte and number of bytes of an upload's part, else 0."""

    step: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: int = 0
    size: int = 0


class Place:
    """A file on its way."""

    def __init__(self, size: int):
        self.size, self.bytes = size, bytearray()
        self.turn = 0  # of the request that may write: the last one

    @property
    def complete(self) -> bool:
        return len(self.bytes) == self.size

    def md5(self) -> str:
        return hashlib.md5(self.bytes).hexdigest()


class KaggleServer:
    """The server with all that it knows; a context manager."""

    def __init__(self) -> None:
        self.entered, self.left, self.disabled = True, 5, False
        self.scores, self.error, self.pending = ("0.87654", "0.86543"), "", 1
        self.hidden = 0  # listings that do not show the last submission yet
        self.teams: list[tuple[str, str]] = []
        self.places: list[Place] = []
        self.submissions: list[dict[str, Any]] = []
        self.seen: list[Seen] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.kaggle = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "KaggleServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def fail(self, step: str, fault: Fault, times: int = 1) -> None:
        """Have the next `times` requests of a step end so."""
        self.faults[step] += [fault] * min(times, 200)

    def steps(self) -> list[str]:
        """The steps in the order of the requests."""
        return [seen.step for seen in self.seen]

    def environment(self) -> dict[str, str]:
        """What sends the kaggle package of another process here; no other proxy must be set."""
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "HTTP_PROXY": self.url, "http_proxy": self.url}

    # What the calls do: from the request's body to the answer's.

    def auth(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"active": True, "username": USER} if body["token"] == TOKEN else {}

    def info(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = {"id": 1, "ref": body["competitionName"], "maxDailySubmissions": 5}
        return answer | {"userHasEntered": self.entered, "submissionsDisabled": self.disabled}

    def limits(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"numToday": 5 - self.left, "numAllowedNow": self.left}

    def start(self, body: dict[str, Any]) -> dict[str, Any]:
        self.places.append(Place(body["contentLength"]))
        number = len(self.places) - 1
        return {"token": f"{BLOB}-{number}", "createUrl": f"/upload?upload_id={PLACE}-{number}"}

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        place = self.places[int(body["blobFileTokens"].rpartition("-")[2])]
        if not place.complete:
            raise _ProblemError(400, "The uploaded file is not complete")
        submission = {"ref": 4711 + len(self.submissions), "description": body["submissionDescription"]}
        submission["date"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        self.submissions.append(submission | {"md5": place.md5(), "polls": 0})
        self.left -= 1
        return {"message": "Successfully submitted", "ref": submission["ref"]}

    def poll(self, body: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.submissions if each["ref"] == body["ref"]]
        if not found:
            raise _ProblemError(404, "Submission not found")
        found[0]["polls"] += 1
        return self._shown(found[0])

    def list(self, body: dict[str, Any]) -> dict[str, Any]:
        self.hidden -= 1
        shown = self.submissions[:-1] if self.hidden >= 0 else self.submissions
        first = int(body.get("pageToken") or 0)
        last = first + body["pageSize"]
        more = {"nextPageToken": str(last)} if last < len(shown) else {}
        return {"submissions": [self._shown(each) for each in shown[::-1][first:last]]} | more

    def board(self, body: dict[str, Any]) -> dict[str, Any]:
        first = int(body.get("pageToken") or 0)
        date = "2018-08-06T23:59:59.1234567Z"
        rows = [
            {"teamId": number, "teamName": team, "score": score, "submissionDate": date}
            for number, (team, score) in enumerate(self.teams, 1)
        ]
        more = {"nextPageToken": str(first + 3)} if first + 3 < len(rows) else {}
        return {"submissions": rows[first : first + 3]} | more

    def _shown(self, submission: dict[str, Any]) -> dict[str, Any]:
        shown = {"ref": submission["ref"], "description": submission["description"], "fileName": "s.csv"}
        shown |= {"date": submission["date"]}
        if submission["polls"] <= self.pending:
            return shown
        if self.error:
            return shown | {"status": "ERROR", "errorDescription": self.error}
        return shown | {"status": "COMPLETE", "publicScore": self.scores[0], "privateScore": self.scores[1]}


class _ProblemError(Exception):
    """status, message of an error answer."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    kaggle: KaggleServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Not on the tests' stderr."""

    def do_POST(self) -> None:
        """A call."""
        kaggle, rpc = self.server.kaggle, self.path.rpartition("/")[2]
        step, body = STEPS[rpc], json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with kaggle.lock:
            kaggle.seen.append(Seen(step, dict(self.headers), body))
            fault = kaggle.faults[step].pop(0) if kaggle.faults[step] else None
        if fault and not fault.made and self._fails(fault):
            return
        try:
            if step != "auth":
                self._authorize()
            with kaggle.lock:
                answer = getattr(kaggle, step)(body)
        except _ProblemError as problem:
            self._problem(*problem.args)
            return
        if not (fault and fault.made and self._fails(fault)):
            if step == "start":
                base = "http://localhost" if self.path.startswith("http:") else kaggle.url
                answer["createUrl"] = base + answer["createUrl"]
            self._answer(200, json.dumps(answer))

    def do_PUT(self) -> None:
        """A part of an upload, or the question how much is there."""
        kaggle = self.server.kaggle
        assert "Authorization" not in self.headers
        number = int(urlsplit(self.path).query.rpartition("-")[2])
        place, size = kaggle.places[number], int(self.headers["Content-Length"])
        span = self.headers.get("Content-Range", "")
        start = int(match[1]) if (match := re.fullmatch(r"bytes (\d+)-\d+/\d+", span)) else 0
        step = "held" if span.startswith("bytes */") else "blob"
        with kaggle.lock:
            kaggle.seen.append(Seen(step, dict(self.headers), {}, start, size))
            fault = kaggle.faults[step].pop(0) if kaggle.faults[step] else None
            place.turn = turn = place.turn + 1
            if step == "blob":
                assert start <= len(place.bytes)
                del place.bytes[start:]
        if step == "blob":
            stop = size if not fault or fault.kind not in ("cut", "stall") else min(size, fault.at)
            if fault and fault.kind == "status":
                self._swallow(size)
            else:
                self._receive(place, turn, stop)
        if fault and self._fails(fault):
            return
        if place.complete and not (fault and fault.kind == "unfinished"):
            self._answer(200, "{}")
        else:
            headers = {"Range": f"bytes=0-{len(place.bytes) - 1}"} if place.bytes else {}
            self._answer(308, "", headers)

    def _authorize(self) -> None:
        basic = "Basic " + base64.b64encode(f"{USER}:{KEY}".encode()).decode()
        if self.headers.get("Authorization") not in (basic, f"Bearer {TOKEN}"):
            raise _ProblemError(401, "Unauthenticated")

    def _receive(self, place: Place, turn: int, size: int) -> None:
        """Take `size` bytes, unless another request has its turn meanwhile."""
        while size > 0 and (part := self.rfile.read1(min(size, 1 << 20))):
            with self.server.kaggle.lock:
                if place.turn != turn:
                    return
                place.bytes += part
            size -= len(part)

    def _swallow(self, size: int) -> None:
        while size > 0 and (part := self.rfile.read1(min(size, 1 << 20))):
            size -= len(part)

    def _fails(self, fault: Fault) -> bool:
        """Do what the fault says; whether that was all."""
        if fault.kind == "late":
            time.sleep(fault.seconds)
        if fault.kind in ("late", "unfinished"):
            return False
        if fault.kind == "status":
            self._problem(fault.status, fault.message, fault.retry_after)
        elif fault.kind == "html":
            self._answer(fault.status, "<html>Bad gateway</html>", kind="text/html")
        elif fault.kind == "redirect":
            self._answer(307, "", {"Location": self.path})
        elif fault.kind in ("garbage", "body"):
            self._answer(200, fault.message or "<html>hello</html>")
        elif fault.kind in ("reset", "cut"):
            self._reset()
        elif fault.kind == "drip":
            self._drip()
        else:  # silent, stall
            self.server.kaggle.closing.wait(900)
            self.close_connection = True
        return True

    def _problem(self, status: int, message: str, retry_after: str = "") -> None:
        headers = {"Retry-After": retry_after} if retry_after else {}
        self._answer(status, json.dumps({"code": status, "message": message}), headers)

    def _answer(
        self, status: int, body: str, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in (
            {"Content-Type": kind, "Content-Length": str(len(content))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not self.server.kaggle.closing.wait(0.2):
                self.wfile.write(b" ")
        self.close_connection = True

    def _reset(self) -> None:
        """End the connection as a failing network does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.close()
