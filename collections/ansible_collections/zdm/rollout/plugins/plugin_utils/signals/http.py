# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to each member of canary, sent from the routers' hosts; good when every answer is as expected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...module_utils.judge import Measurement
from .._expression import untrue

#: What a router's agent replied to a probe, or the reason why it could not be asked: {(router, member): reply}.
Replies = Mapping[tuple[str, str], Mapping[str, Any]]


def measure(path: str, expect: int | str | None, replies: Replies) -> Measurement:
    """All answers as one measurement. A member that does not answer is bad; an agent that does not is an error."""
    if not replies:
        return Measurement(f"{path}: canary has no member to ask", no_data=True)
    lost = [f"{router}: {reply['error']}" for (router, dummy), reply in sorted(replies.items()) if "error" in reply]
    if lost:
        return Measurement(f"{path} could not be asked from {'; '.join(lost)}", error=True)
    bad = [
        f"{member} from {router}: {wrong}"
        for (router, member), reply in sorted(replies.items())
        if (wrong := _wrong(expect, reply))
    ]
    if bad:
        return Measurement(f"{path} of {'; '.join(bad)}", good=False)
    return Measurement(f"{path} is as expected on {len({member for dummy, member in replies})} members", good=True)


def _wrong(expect: int | str | None, reply: Mapping[str, Any]) -> str:
    """What is wrong with one answer, for people; empty when it is as expected."""
    if reply.get("status") is None:
        return str(reply.get("failure"))
    status = int(reply["status"])
    if isinstance(expect, int):
        return "" if status == expect else f"status {status}, expected {expect}"
    if not 200 <= status < 300:
        return f"status {status}, expected 2xx"
    if expect is None:
        return ""
    try:
        document = json.loads(str(reply["body"]))
    except (ValueError, RecursionError):
        return "the body is not JSON"
    return untrue(expect, document)
