"""A leader whose advertised address refuses while it leads on."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from tests.cli.processes import OsqueueProcess, started_broker

pytestmark = pytest.mark.slow

BEATS = 4
"""So many commits of the leader are waited for: a standby that takes it for dead needs less."""


class Proxy:
    """Forwards the connections to one port, until it is closed: then that port refuses."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._target = 0
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def forward_to(self, port: int) -> None:
        self._target = port
        self._start(self._accept)

    def close(self) -> None:
        # A shutdown ends what waits for it in another thread; a close would not.
        for one in (self._listener, *self._ends):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # Its peer was faster.
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._ends):
            one.close()

    def _start(self, act: Any, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=act, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += (near, far)
            self._start(self._pump, near, far)
            self._start(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


def ask(url: str, path: str, body: object = None) -> tuple[int, Any]:
    """The status of an answer, and its JSON."""
    data = None if body is None else msgspec.json.encode(body)
    request = Request(url + path, data, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=20) as answer:
            status, text = answer.status, answer.read()
    except HTTPError as error:
        with error:
            status, text = error.code, error.read()
    return status, msgspec.json.decode(text) if text else None


def commit_of(leader: OsqueueProcess) -> tuple[int, int]:
    """Epoch and sequence of the commit from which the leader answers."""
    status, stats = ask(leader.url, "/v1/stats")
    assert status == 200, stats
    epoch, sequence, _ = stats["commitId"].split("-")
    return int(epoch), int(sequence)


def test_leader_whose_proxy_is_closed_is_not_deposed_while_it_answers(tmp_path: Path) -> None:
    """Found on real processes: the standby led and acknowledged 0.3 s after the proxy had closed,
    and for seconds the leader answered without that job, and told its worker to drop the work."""
    with (
        Proxy() as proxy,
        started_broker(tmp_path, BROKER_ADVERTISED_ADDRESS=proxy.address) as leader,
    ):
        proxy.forward_to(int(leader.port))
        with started_broker(tmp_path, LOG_LEVEL="debug") as standby:
            while not standby.wait_event("probed the leader")["broker"]:
                continue
            ask(leader.url, "/v1/jobs", {"jobId": "held"})
            status, _ = ask(leader.url, "/v1/jobs/claim", {"workerId": "w", "limit": 1})
            assert status == 200
            proxy.close()
            epoch, first = commit_of(leader)
            acknowledged: list[str] = []
            last = first
            while last < first + BEATS:
                job_id = f"job-{len(acknowledged)}"
                if ask(standby.url, "/v1/jobs", {"jobId": job_id})[0] < 300:
                    acknowledged.append(job_id)
                for known in acknowledged:
                    assert ask(leader.url, f"/v1/jobs/{known}")[0] == 200, f"no {known}: deposed"
                beat = ask(leader.url, "/v1/jobs/held/heartbeat", {"workerId": "w", "attempt": 1})
                assert beat[0] == 204, f"a live holder was told {beat}"
                now_epoch, last = commit_of(leader)
                assert now_epoch == epoch
            assert acknowledged == []
