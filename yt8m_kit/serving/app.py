"""The routes of a server, as an ASGI application."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from yt8m_kit.dataset import Dataset
from yt8m_kit.serving import metrics
from yt8m_kit.serving.batcher import Batcher
from yt8m_kit.serving.limits import Limits
from yt8m_kit.serving.messages.answer import answer
from yt8m_kit.serving.messages.body import Body, Receive
from yt8m_kit.serving.messages.refusal import RefusalError
from yt8m_kit.serving.messages.request import parse

Send = Callable[[dict[str, Any]], Awaitable[None]]
VERSION = "1"  # the only one of a model
MODEL = re.compile(rf"/v1/models/([^/:]+)(?:/versions/{VERSION})?(:predict|/metadata)?")
JSON = "application/json"
AGAIN = 1  # seconds after which a client may ask again


class Reply(NamedTuple):
    """An answer: HTTP's status, the content and its type."""

    status: int
    content: bytes
    kind: str = JSON
    headers: Mapping[str, str] = {}


class App:
    """The application of one model.

    name: of the model. names: of labels, by class number. signatures: as metadata has them; None until the
    graph is loaded.
    """

    def __init__(self, name: str, dataset: Dataset, names: Mapping[int, str], limits: Limits):
        self.signatures: dict[str, Any] | None = None
        self.metrics = metrics.Metrics()
        self.batcher = Batcher(limits, self.metrics)
        self._name, self._dataset, self._names, self._limits = name, dataset, names, limits

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer an HTTP request."""
        began, body = time.monotonic(), Body(receive)
        reply = await self._reply(scope, body)
        with suppress(RefusalError, TimeoutError):
            async with asyncio.timeout(self._limits.timeout):
                await body.discard()
        if scope["path"].endswith(":predict"):
            self.metrics.answered(reply.status, time.monotonic() - began)
        headers = {"content-type": reply.kind, "content-length": str(len(reply.content)), **reply.headers}
        start = {"type": "http.response.start", "status": reply.status}
        await send(start | {"headers": [(key.encode(), value.encode()) for key, value in headers.items()]})
        await send({"type": "http.response.body", "body": reply.content})

    async def _reply(self, scope: dict[str, Any], body: Body) -> Reply:
        try:
            return await self._route(scope["method"], scope["path"], body)
        except RefusalError as error:
            headers = {"retry-after": str(AGAIN)} if error.status == 503 else {}
            return _refused(error.status, str(error), headers)
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"yt8m: a request failed: {said}", file=sys.stderr, flush=True)
            return _refused(500, f"the graph could not run: {said}")

    async def _route(self, method: str, path: str, body: Body) -> Reply:
        if path == "/healthz":
            return self._health()
        if path == "/metrics":
            text = self.metrics.text(queue=self.batcher.queued, ready=self.signatures is not None)
            return Reply(200, text.encode(), metrics.TYPE)
        found = MODEL.fullmatch(path)
        if found is None or found[1] != self._name:
            raise RefusalError(404, f"nothing at {path}; the model is at /v1/models/{self._name}.")
        wanted = "POST" if found[2] == ":predict" else "GET"
        if method != wanted:
            return _refused(405, f"{path} takes {wanted}; got {method}.", {"allow": wanted})
        if found[2] == ":predict":
            return Reply(200, await self._predict(body))
        return self._metadata() if found[2] else self._status()

    def _health(self) -> Reply:
        is_ready = self.signatures is not None
        return _json(200 if is_ready else 503, {"status": "ready" if is_ready else "loading"})

    def _status(self) -> Reply:
        state = "LOADING" if self.signatures is None else "AVAILABLE"
        status = {"error_code": "OK", "error_message": ""}
        return _json(200, {"model_version_status": [{"version": VERSION, "state": state, "status": status}]})

    def _metadata(self) -> Reply:
        self._check_ready()
        about = {"name": self._name, "signature_name": "", "version": VERSION}
        definition = {"signature_def": {"signature_def": self.signatures}}
        return _json(200, {"model_spec": about, "metadata": definition})

    def _check_ready(self) -> None:
        if self.signatures is None:
            raise RefusalError(503, "the graph is being loaded; /healthz says when it is.")

    async def _predict(self, body: Body) -> bytes:
        self._check_ready()
        limits = self._limits
        with self.batcher.place() as queue:
            try:
                async with asyncio.timeout(limits.timeout):
                    content = await body.read(limits.body)
                    request = await asyncio.to_thread(parse, content, self._dataset, limits.batch)
                    outputs = await asyncio.wrap_future(queue(request))
                    return await asyncio.to_thread(answer, request, outputs, self._names)
            except TimeoutError:
                raise RefusalError(504, f"no answer within {limits.timeout:g} s; ask again later.") from None


def _json(status: int, content: object) -> Reply:
    return Reply(status, json.dumps(content).encode())


def _refused(status: int, message: str, headers: Mapping[str, str] = {}) -> Reply:
    return _json(status, {"error": message})._replace(headers=headers)
