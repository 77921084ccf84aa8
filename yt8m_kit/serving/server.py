"""A server of one graph: a socket, the application in this thread, the graph in another one."""

import asyncio
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from yt8m_kit import backend
from yt8m_kit.dataset import Dataset
from yt8m_kit.output import progress
from yt8m_kit.serving.app import App
from yt8m_kit.serving.limits import Limits
from yt8m_kit.serving.sockets import url_of

ENDING = (signal.SIGINT, signal.SIGTERM)
KEEP_ALIVE = 65  # seconds that an idle connection lasts: longer than those of common proxies


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to `run`."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change no handler of a signal."""
        yield


def run(
    name: str,
    dataset: Dataset,
    names: Mapping[int, str],
    path: Path,
    *,
    opened: socket.socket,
    limits: Limits,
) -> None:
    """Serve the graph at `path` as the model `name` until SIGTERM or Ctrl-C; then answer what is running.

    names: of labels, by class number. opened: a socket that listens. The graph is loaded meanwhile: until
    then /healthz says so. Raises KitError if it cannot be loaded.
    """
    app = App(name, dataset, names, limits)
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=math.ceil(limits.timeout) + 1,
        )
    )
    failures: list[Exception] = []

    def end() -> None:
        server.force_exit = server.should_exit  # the second time
        server.should_exit = True

    def work() -> None:
        try:
            _work(app, path, f"{url_of(opened)}/v1/models/{name}")
        except Exception as error:
            failures.append(error)
            end()

    asyncio.run(_serving(server, opened, work, app.batcher.close, end))
    if failures:
        raise failures[0]


async def _serving(
    server: uvicorn.Server,
    opened: socket.socket,
    work: Callable[[], None],
    close: Callable[[], None],
    end: Callable[[], None],
) -> None:
    """Run the server, with `work` in a thread that `close` ends; SIGTERM and Ctrl-C call `end`."""
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, end)
    thread = threading.Thread(target=work, name="graph")
    thread.start()
    try:
        await server.serve([opened])
    finally:
        close()
        await asyncio.to_thread(thread.join)


def _work(app: App, path: Path, url: str) -> None:
    """Load the graph and run it."""
    backend.start("tensorflow")
    from yt8m_kit.serving.graph import ServedGraph

    graph = ServedGraph(path)
    app.signatures = graph.metadata()
    if not app.batcher.is_over:  # a signal may have come meanwhile
        progress.say(f"serving at {url}; Ctrl-C ends it.")
    app.batcher.work(graph.run)
