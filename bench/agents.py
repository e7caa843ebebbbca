# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many simulated agents in one process, each at its own pair of sockets: what the watch has to hold is real.

They are a contract of the protocol, not of a router: requests are checked by the protocol's own rules, the lease is the
agent's own (``agent/lease.py``), so a renewal that comes too late or with another's epoch is refused as a guard would
refuse it. The split is a number in memory. It is run as a process of its own (``python -m bench.agents``) with the
descriptors of its sockets on standard input; at each further line there it prints what was counted since the one
before, and at the end of it it ends.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as leases
from ansible_collections.zdm.rollout.plugins.module_utils.agent import protocol

CHUNK = 65536
#: What a real guard's reply to a renewal has beside the lease: two members, one that counts.
COUNTERS = {
    pool: {"requests": 1200, "failures": 0, "kinds": {"http_5xx": 0, "connect": 0, "timeout": 0}}
    for pool in ("blue", "green")
}


class Agent:
    """One agent: request lines in, reply lines out.

    ``latest`` is when the lease or its last renewal came, ``gap`` the longest time between two, in seconds; ``t`` is
    the time of the monotonic clock.
    """

    def __init__(self) -> None:
        self.lease = leases.Lease()
        self.split = {"blue": 100.0, "green": 0.0}
        self.latest = 0.0
        self.gap = 0.0
        self.renewals = self.refused = 0

    def count_anew(self) -> None:
        """Forget what was counted; the time since the last renewal counts on."""
        self.gap, self.renewals, self.refused = 0.0, 0, 0

    def answer(self, line: str, t: float) -> str:
        """The reply line to a request line."""
        number: Any = None
        try:
            request = protocol.parse(line)
            number = request.get("id")
            return protocol.ok(number, **self._carry_out(request, t))
        except (protocol.ProtocolError, leases.LeaseError) as error:
            self.refused += 1
            return protocol.refusal(number, error.code, error.text)

    def _carry_out(self, request: dict[str, Any], t: float) -> dict[str, Any]:
        match request["op"]:
            case "hello":
                return {"version": 1, "agent": "", "python": "3", "guard": "session", "t": t}
            case "read":
                return {"traffic": self._traffic(), "record": None}
            case "acquire":
                who = {key: request[key] for key in ("run", "owner", "release", "stable", "canary")}
                self._order(leases.Acquire(at="", t=t, ttl=request["terms"]["ttl"], **who))
                self.latest = t
                return {"epoch": self.lease.epoch, "t": t, "took_over": None}
            case "arm":
                split = request["wanted"]["split"]
                self._order(leases.Arm(request["epoch"], split, t, request.get("max_hold")))
            case "renew":
                self._order(leases.Renew(request["epoch"], request["t"], t))
                self.gap, self.latest = max(self.gap, t - self.latest), t
                self.renewals += 1
                return self._news(t)
            case "revert":
                self._order(leases.Revert(request["epoch"], request["reason"]))
            case "disarm":
                self._order(leases.Disarm(request["epoch"]))
            case other:
                raise protocol.ProtocolError("bad_request", "%r is not simulated" % other)
        return {"traffic": self._traffic()}

    def _order(self, event: leases.Event) -> None:
        self.lease, order = leases.handle(self.lease, event)
        if isinstance(order, leases.Write):
            self.split = dict(order.split)
        elif isinstance(order, leases.Return):
            self.split = {pool: 100.0 if pool == order.stable else 0.0 for pool in self.split}

    def _traffic(self) -> dict[str, Any]:
        members = [
            {"name": pool, "pool": pool, "health": "up", "weight": round(2.56 * share), "base": 1}
            for pool, share in self.split.items()
        ]
        scale = {"per": "server", "top": 256}
        return {"members": members, "split": self.split, "held": True, "scale": scale, "durable": "no"}

    def _news(self, t: float) -> dict[str, Any]:
        lease = self.lease
        return {
            "state": lease.state,
            "reason": lease.reason,
            "ended_by": lease.ended_by,
            "t": t,
            "expires_in": lease.loan.expires - t if lease.loan else 0.0,
            "traffic": self._traffic(),
            "counters": COUNTERS,
            "failure": "",
            "stable": "",
            "corrections": 0,
            "foreign": [],
            "orders": [],
        }


def serve(pairs: list[tuple[int, int]]) -> None:
    """Be the agent at each pair of descriptors (requests, replies) until standard input ends."""
    agents = [Agent() for dummy in pairs]
    selector = selectors.DefaultSelector()
    rest = [b""] * len(pairs)
    replies = [socket.socket(fileno=reply) for dummy, reply in pairs]
    for index, (requests, dummy) in enumerate(pairs):
        selector.register(socket.socket(fileno=requests), selectors.EVENT_READ, index)
    selector.register(sys.stdin.buffer, selectors.EVENT_READ)
    while True:
        for key, _ready in selector.select():
            if key.data is None:
                if not sys.stdin.buffer.readline():
                    return
                print(json.dumps(counted(agents, time.monotonic())), flush=True)
                continue
            asking: Any = key.fileobj
            data = asking.recv(CHUNK)
            if not data:
                selector.unregister(asking)
                replies[key.data].close()
                continue
            *lines, rest[key.data] = (rest[key.data] + data).split(b"\n")
            for line in lines:
                replies[key.data].sendall(agents[key.data].answer(line.decode(), time.monotonic()).encode())


def counted(agents: list[Agent], t: float) -> dict[str, Any]:
    """What was counted up to now, which begins anew."""
    found = {
        # The renewal that has not come yet is late as well.
        "gaps": [max(agent.gap, t - agent.latest) for agent in agents],
        "renewals": sum(agent.renewals for agent in agents),
        "refused": sum(agent.refused for agent in agents),
        "armed": sum(agent.lease.state == leases.ARMED for agent in agents),
    }
    for agent in agents:
        agent.count_anew()
    return found


def main() -> None:
    serve([tuple(pair) for pair in json.loads(sys.stdin.buffer.readline())])


if __name__ == "__main__":
    main()
