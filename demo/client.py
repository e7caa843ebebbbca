# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that counts every request and never retries one.

    python -m demo.client --url http://127.0.0.1:8080/ --rate 300 --connections 16 --log client.jsonl

HTTP libraries retry in silence; so it speaks HTTP/1.1 itself over keep-alive connections. Each request ends as one
``demo.log.Record``. SIGTERM or SIGINT: what is in flight is finished, all lines are written, it ends.

A proxy that reloads closes its idle connections. By default the client does not look before it uses one again and
counts what is lost that way, as many real clients would suffer it; ``polite`` looks for the end of the connection
first and opens a new one.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import threading
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from demo.connection import Connection
from demo.log import Record, Result

#: How far a paced client that was held up catches up with its schedule, in seconds.
CATCH_UP = 0.1

#: How long a connection that waits for its slot goes without looking whether the client is to end, in seconds.
LOOK = 0.2


class Client:
    """Requests to ``url`` over ``connections`` connections, ``rate`` a second in total (None: as fast as they go).

    It is paced by a schedule, not by the answers: slow answers do not slow it down while a connection is free.
    ``timeout`` in seconds for opening a connection and again for an answer. ``start()`` and ``stop()`` run it in a
    thread of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float | None = 300.0,
        connections: int = 16,
        timeout: float = 5.0,
        polite: bool = False,
        headers: Mapping[str, str] | None = None,
        sink: Callable[[Record], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("url is %r: expected http://HOST[:PORT]/PATH" % url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.rate, self.timeout, self.polite = rate, timeout, polite
        self.records: list[Record] = []
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        lines = ["GET %s HTTP/1.1" % target, "host: %s" % parts.netloc]
        lines += ["%s: %s" % item for item in (headers or {}).items()]
        self.message = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self._sink = sink or self.records.append
        self._connections = connections
        self._stopping = False
        self._slot = 0.0
        self._thread: threading.Thread | None = None

    async def run(self) -> None:
        """Send requests until ``end()``; returns when those in flight are over."""
        self._slot = time.monotonic()
        await asyncio.gather(*(self._work() for _ in range(self._connections)))

    async def _work(self) -> None:
        connection = Connection((self.host, self.port), self.message, timeout=self.timeout, polite=self.polite)
        while await self._turn():
            self._sink(await connection.request())
            if connection.reader is None:
                await asyncio.sleep(0)
        connection.close()

    async def _turn(self) -> bool:
        """Wait for the next free slot of the schedule; False once the client is to end."""
        if self.rate is not None:
            now = time.monotonic()
            slot = self._slot = max(self._slot, now - CATCH_UP) + 1 / self.rate
            while slot > now and not self._stopping:
                await asyncio.sleep(min(slot - now, LOOK))
                now = time.monotonic()
        return not self._stopping

    def end(self) -> None:
        """No new requests from now on; from any thread."""
        self._stopping = True

    @property
    def result(self) -> Result:
        """What is known so far."""
        return Result(self.records)

    def start(self) -> Client:
        self._thread = threading.Thread(target=lambda: asyncio.run(self.run()), name="client", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> Result:
        """Finish what is in flight and return all of it."""
        self.end()
        if self._thread is not None:
            self._thread.join(2 * self.timeout + 1)
            if self._thread.is_alive():
                raise RuntimeError("the client did not end within two time-outs of %g s" % self.timeout)
        return self.result


async def _until_signal(client: Client) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, client.end)
    await client.run()


def main() -> None:
    parser = argparse.ArgumentParser(description="a client that counts every request and never retries one")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=300.0, help="requests a second in total; 0: as fast as they go")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for an answer")
    parser.add_argument("--polite", action="store_true", help="look for the end of a connection before using it again")
    parser.add_argument("--log", required=True, help="file of JSON lines, one a request")
    options = parser.parse_args()
    with open(options.log, "w", encoding="utf-8") as log:

        def sink(record: Record) -> None:
            log.write(record.to_line())

        asyncio.run(
            _until_signal(
                Client(
                    options.url,
                    rate=options.rate or None,
                    connections=options.connections,
                    timeout=options.timeout,
                    polite=options.polite,
                    sink=sink,
                )
            )
        )


if __name__ == "__main__":
    main()
