# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service of the demo and of the tests: one release of a small HTTP application, one process.

    python3 demo/app.py --address 127.0.0.1 --port 8081 --release v1 [--fail 0.2] [--unhealthy] ...

Any path answers ``{"status", "release", "member"}`` and the header ``x-release``. Apart from that:

    GET  /health    200, or 503 when unhealthy: what a proxy asks
    GET  /ready     the same, with a status in JSON: what a rollout asks
    GET  /metrics   Prometheus' text format: http_requests_total{code} and the histogram http_request_duration_seconds
    GET  /download  a body that never ends, a byte at a time
    any, with the header ``upgrade: websocket``: what comes after it is sent back as it is
    GET  /_count    {"requests", "statuses": {"200": n}, "probes", "in_flight"}; probes are /health and /ready
    POST /_behave   a JSON object of Behaviour's fields: from now on it behaves so; answers what is in force

SIGTERM: it stops accepting, finishes what is in flight and ends. Standard library only, Python 3.8 and newer.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import signal
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from http import HTTPStatus
from typing import Any

PROBES = ("/health", "/ready")
#: What is neither a user's request nor a proxy's.
CONTROL = ("/_", "/metrics")
#: A download never ends by itself.
ENDLESS, BYTE_SECONDS = 10**9, 0.05
#: RFC 6455, section 1.3.
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Behaviour:
    """How the service answers: ``fail`` is the share (0 to 1) of ordinary requests that get ``fail_status``,
    ``slow`` delays each of them by seconds, ``hang`` never answers them (nor probes), ``blind`` has no metrics."""

    fail: float = 0.0
    fail_status: int = 500
    slow: float = 0.0
    hang: bool = False
    healthy: bool = True
    blind: bool = False

    def changed(self, wanted: Any) -> Behaviour:
        """Itself with the fields of ``wanted``; ValueError names a field that it does not have."""
        known = {field.name for field in fields(self)}
        if not isinstance(wanted, dict) or not set(wanted) <= known:
            raise ValueError("got %r: expected an object with keys of %s" % (wanted, ", ".join(sorted(known))))
        return replace(self, **wanted)


class App:
    """What all connections share: who it is, how it behaves, what it has counted."""

    def __init__(self, release: str, member: str, behaviour: Behaviour) -> None:
        self.release, self.member, self.behaviour = release, member, behaviour
        self.statuses: Counter[int] = Counter()
        self.slower: Counter[float] = Counter()
        self.seconds = 0.0
        self.probes = 0
        self.connections: set[Connection] = set()
        self.ending: asyncio.Event | None = None
        self._debt = 0.0

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the JSON for one request."""
        if path == "/_count":
            in_flight = sum(connection.ordinary for connection in self.connections)
            statuses = {str(status): count for status, count in sorted(self.statuses.items())}
            return 200, {
                "requests": sum(self.statuses.values()),
                "statuses": statuses,
                "probes": self.probes,
                "in_flight": in_flight,
            }
        if path == "/_behave" and method == "POST":
            try:
                self.behaviour = self.behaviour.changed(json.loads(body))
            except ValueError as error:
                return 400, {"error": str(error)}
            return 200, asdict(self.behaviour)
        if path in PROBES:
            self.probes += 1
            status = 200 if self.behaviour.healthy else 503
        else:
            status = self.behaviour.fail_status if self._fails() else 200
            self.statuses[status] += 1
        said = "ok" if status == 200 else "failing"
        return status, {"status": said, "release": self.release, "member": self.member}

    def took(self, seconds: float) -> None:
        """An ordinary request took so long."""
        self.seconds += seconds
        self.slower[next((edge for edge in EDGES if seconds <= edge), float("inf"))] += 1

    def metrics(self) -> str:
        """The page of metrics."""
        name = "http_request_duration_seconds"
        lines = ["# HELP http_requests_total Ordinary requests.", "# TYPE http_requests_total counter"]
        lines += ['http_requests_total{code="%d"} %d' % each for each in sorted(self.statuses.items())]
        lines += ["# HELP %s How long they took." % name, "# TYPE %s histogram" % name]
        count = 0
        for edge in (*EDGES, float("inf")):
            count += self.slower[edge]
            lines.append('%s_bucket{le="%s"} %d' % (name, "+Inf" if edge == float("inf") else edge, count))
        lines += ["%s_sum %r" % (name, self.seconds), "%s_count %d" % (name, count)]
        return "\n".join(lines) + "\n"

    def _fails(self) -> bool:
        """Errors spread evenly: of every n requests, n times ``fail`` of them, rounded down."""
        self._debt += self.behaviour.fail
        if self._debt < 1 - 1e-9:
            return False
        self._debt -= 1
        return True

    def end(self) -> None:
        """Close what is idle or would hang; what is in flight is answered first."""
        for connection in list(self.connections):
            connection.end()

    def left(self, connection: Connection) -> None:
        self.connections.discard(connection)
        if self.ending is not None and not self.connections:
            self.ending.set()


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time, those behind it wait in the buffer."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.transport: Any = None
        self.buffer = b""
        self.busy = self.ordinary = self.hung = self.tunnel = False
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.app.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.app.left(self)

    def data_received(self, data: bytes) -> None:
        if self.tunnel:
            self.transport.write(data)
            return
        self.buffer += data
        while not self.busy and not self.transport.is_closing() and self._take():
            pass

    def _take(self) -> bool:
        """Take one whole request from the buffer and answer it, now or later; False if there is none."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return False
        line, _, headers = head.lower().partition(b"\r\n")
        length = _content_length(headers)
        if length is None or len(line.split()) != 3:
            self._send("GET", 400, {"error": "expected a request line and, for a body, content-length"}, close=True)
            return False
        if len(rest) < length:
            return False
        body, self.buffer = rest[:length], rest[length:]
        if b"\r\nupgrade: websocket" in head.lower():
            self._upgrade(head)
            return False
        method, target = head.split(None, 2)[:2]
        close = b"connection: close" in headers or line.endswith(b"/1.0")
        self._request(method.decode("latin-1"), target.decode("latin-1").partition("?")[0], body, close)
        return True

    def _request(self, method: str, path: str, body: bytes, close: bool) -> None:
        behaviour, control = self.app.behaviour, path.startswith(CONTROL)
        self.ordinary = not control and path not in PROBES
        self.began = asyncio.get_running_loop().time()
        if behaviour.hang and not control:
            self.busy = self.hung = True
        elif path == "/download":
            self._head(200, "application/octet-stream", ENDLESS, "x-accel-buffering: no\r\n")  # or nginx collects it
            self._download()
        elif behaviour.slow and self.ordinary:
            self.busy = True
            asyncio.get_running_loop().call_later(behaviour.slow, self._late, method, path, body, close)
        elif path == "/metrics":
            blind = self.app.behaviour.blind
            self._send(method, 503 if blind else 200, "" if blind else self.app.metrics(), close=close)
        else:
            self._send(method, *self.app.answer(method, path, body), close=close)

    def _late(self, method: str, path: str, body: bytes, close: bool) -> None:
        self._send(method, *self.app.answer(method, path, body), close=close)
        self.busy = False
        self.data_received(b"")

    def _upgrade(self, head: bytes) -> None:
        """A tunnel from now on; it is not closed for somebody else's sake."""
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
        accept = base64.b64encode(hashlib.sha1(key.partition(b":")[2].strip() + WEBSOCKET).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"x-release: %s\r\nsec-websocket-accept: %s\r\n\r\n" % (self.app.release.encode(), accept)
        )
        self.busy = self.tunnel = True

    def _download(self) -> None:
        self.busy = True
        if not self.transport.is_closing():
            self.transport.write(b".")
            asyncio.get_running_loop().call_later(BYTE_SECONDS, self._download)

    def _head(self, status: int, kind: str, length: int, more: str = "") -> None:
        line = "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nx-release: %s\r\n%s\r\n"
        values = (status, HTTPStatus(status).phrase, kind, length, self.app.release, more)
        self.transport.write((line % values).encode("latin-1"))

    def _send(self, method: str, status: int, content: dict[str, Any] | str, close: bool) -> None:
        """Answer with JSON, or with a text."""
        if self.ordinary:
            self.app.took(asyncio.get_running_loop().time() - self.began)
        self.ordinary = False
        if self.transport.is_closing():
            return
        close = close or self.app.ending is not None
        body = (content if isinstance(content, str) else json.dumps(content)).encode()
        kind = "text/plain; version=0.0.4" if isinstance(content, str) else "application/json"
        self._head(status, kind, len(body), "connection: close\r\n" if close else "")
        if method != "HEAD":
            self.transport.write(body)
        if close:
            self.transport.close()

    def end(self) -> None:
        if not self.busy or self.hung:
            self.transport.close()


def _content_length(headers: bytes) -> int | None:
    """Length of the body that these lower-cased headers announce; None for one that cannot be read."""
    if b"transfer-encoding:" in headers:
        return None
    for line in headers.split(b"\r\n") if b"content-length:" in headers else ():
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value) if value.strip().isdigit() else None
    return 0


async def serve(app: App, address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(app), address, port, backlog=1024)
    print("release %s of member %s listens on %s:%d" % (app.release, app.member, address, port), flush=True)
    await stop.wait()
    server.close()
    app.ending = asyncio.Event()
    app.end()
    if app.connections:
        await app.ending.wait()
    print("release %s of member %s ended" % (app.release, app.member), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="one release of the demo's service")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--member", help="its name in answers (ADDRESS:PORT)")
    parser.add_argument("--fail", type=float, default=0.0, metavar="SHARE", help="share of requests that fail, 0 to 1")
    parser.add_argument("--fail-status", type=int, default=500, metavar="STATUS")
    parser.add_argument("--slow", type=float, default=0.0, metavar="SECONDS", help="delay of each answer")
    parser.add_argument("--hang", action="store_true", help="never answer")
    parser.add_argument("--unhealthy", action="store_true", help="/health and /ready answer 503")
    options = parser.parse_args()
    behaviour = Behaviour(
        fail=options.fail,
        fail_status=options.fail_status,
        slow=options.slow,
        hang=options.hang,
        healthy=not options.unhealthy,
    )
    member = options.member or "%s:%d" % (options.address, options.port)
    asyncio.run(serve(App(options.release, member, behaviour), options.address, options.port))


if __name__ == "__main__":
    main()
