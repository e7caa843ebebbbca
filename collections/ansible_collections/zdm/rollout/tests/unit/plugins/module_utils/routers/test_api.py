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
    Wanted,
)

SERVICE = Service(
    name="web",
    environment="production",
    pools={"blue": (Member("vm1-blue", "192.0.2.1", 8081),), "green": ()},
    health=Health(path="/health", expect=204, port=9000, timeout=0.5),
    options={"backend": "web_servers"},
)
TRAFFIC = Traffic(
    members=(MemberState("vm1-blue", "blue", "up", weight=256, base=1),),
    split={"blue": 100.0, "green": 0.0},
    scale=Scale(per="server", top=256),
    held=True,
    durable="no",
    promises=("weights only",),
    warnings=("leastconn",),
)


def travelled(thing: Any) -> Any:
    return type(thing).from_json(json.loads(json.dumps(thing.to_json())))


def test_what_travels_arrives_whole() -> None:
    assert travelled(SERVICE) == SERVICE
    assert travelled(TRAFFIC) == TRAFFIC
    wanted = Wanted({"blue": 75.0, "green": 25.0}, "blue")
    assert travelled(wanted) == wanted


def test_a_persons_word_does_not_travel() -> None:
    assert travelled(Wanted({"blue": 100.0}, "blue", even_if_sick=True)) == Wanted({"blue": 100.0}, "blue")


def test_what_a_newer_agent_says_more_is_passed_over() -> None:
    reply = json.loads(json.dumps(TRAFFIC.to_json()))
    reply["rules"] = [{"header": "x-canary"}]
    reply["scale"]["step"] = 1
    reply["members"][0]["zone"] = "b"
    assert Traffic.from_json(reply) == TRAFFIC
