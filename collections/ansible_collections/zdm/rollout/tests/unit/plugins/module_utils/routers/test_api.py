# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that travel: a round trip keeps them, and what a newer side adds does not stop an older one."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import (
    Health,
    Member,
    MemberState,
    Scale,
    Service,
    Traffic,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.rules import Rule

SERVICE = Service(
    name="web",
    environment="production",
    pools={"blue": (Member("vm1-blue", "192.0.2.1", 8081),), "green": ()},
    health=Health(path="/health", expect=204, port=9000, timeout=0.5),
    options={"backend": "web_servers"},
    rules={"match": (Rule("header", "x-canary", "insider"), Rule("cookie", "beta", "1"))},
)
TRAFFIC = Traffic(
    members=(MemberState("vm1-blue", "blue", "up", weight=256, base=1),),
    split={"blue": 100.0, "green": 0.0},
    scale=Scale(per="server", top=256),
    held=True,
    durable="no",
    promises=("weights only",),
    warnings=("leastconn",),
    rules={"match": "green"},
)


def travelled(thing: Any) -> Any:
    return type(thing).from_json(json.loads(json.dumps(thing.to_json())))


def test_what_travels_arrives_whole() -> None:
    assert travelled(SERVICE) == SERVICE
    assert travelled(TRAFFIC) == TRAFFIC


def test_what_a_newer_agent_says_more_is_passed_over() -> None:
    reply = json.loads(json.dumps(TRAFFIC.to_json()))
    reply["mirror"] = [{"header": "x-canary"}]
    reply["scale"]["step"] = 1
    reply["members"][0]["zone"] = "b"
    assert Traffic.from_json(reply) == TRAFFIC


def test_an_older_agents_reply_knows_no_rules() -> None:
    reply = TRAFFIC.to_json()
    del reply["rules"]
    assert Traffic.from_json(reply).rules is None
