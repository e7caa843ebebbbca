# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to a member, sent from the router's host: is it well, what does it answer?"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..routers.api import Health, Member

#: As much of a body as the protocol carries, in bytes.
BODY_LIMIT = 8192
PARALLEL = 16


@dataclass(frozen=True)
class Answer:
    """``status`` of the member's answer, or ``failure`` (for people) when it did not answer as it should.

    ``failure`` is empty for a member that is well; ``seconds`` is the time to the end of the body.
    """

    status: Optional[int]
    failure: str
    body: str
    seconds: float


def probe(member: Member, health: Health) -> Answer:
    """Ask one member, for no longer than the health's timeout. An empty path is a TCP connection only."""
    from .._http import get

    port = health.port or member.port
    began = time.monotonic()
    try:
        if not health.path:
            socket.create_connection((member.address, port), timeout=health.timeout).close()
            return Answer(None, "", "", time.monotonic() - began)
        status, body = get(member.address, port, health.path, health.timeout, BODY_LIMIT)
    except OSError as error:
        reason = "no whole answer within %g s" % health.timeout if isinstance(error, socket.timeout) else error
        text = "no answer from %s:%d%s: %s" % (member.address, port, health.path, reason or type(error).__name__)
        return Answer(None, text, "", time.monotonic() - began)
    return Answer(status, _judge(status, health), body, time.monotonic() - began)


def reply(request: Mapping[str, Any]) -> Dict[str, Any]:
    """The protocol's answer to the protocol's ``request`` of a probe (contracts, section 2)."""
    health = Health(path=request["path"], port=request.get("port"), timeout=request["timeout"])
    answer = probe(Member(**request["member"]), health)
    return {
        "status": answer.status,
        "failure": answer.failure if answer.status is None else "",
        "body": answer.body,
        "seconds": round(answer.seconds, 4),
    }


def _judge(status: int, health: Health) -> str:
    if health.expect is None:
        return "" if 200 <= status < 300 else "%s answered %d, expected 2xx" % (health.path, status)
    return "" if status == health.expect else "%s answered %d, expected %d" % (health.path, status, health.expect)


def probe_all(requests: List[Tuple[Member, Health]]) -> Dict[str, Answer]:
    """Ask many members at once; the answers by member name."""
    if not requests:
        return {}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(requests))) as pool:
        answers = list(pool.map(lambda request: probe(*request), requests))
    return {member.name: answer for (member, dummy), answer in zip(requests, answers)}
