# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share that is parked at a resident guard: who keeps it, for how long, who takes it up, and what ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.description import described
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import LeaseError
from ansible_collections.zdm.rollout.plugins.module_utils.agent.orders import leave
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Service, Unreachable

from .agents import RUN, WEB, Agent, ask, refusal, split

HOUR = 3600.0
NOTE = {"step": 0, "of": 2, "state": "parked", "said": "held 3 s of 20 s"}


def parked(agent: Agent, seconds: float = HOUR, **terms: Any) -> Session:
    """25 % are parked, and the connection has ended."""
    agent.kind = "resident"
    met = agent.at_25(**terms)
    assert ask(met, "park", epoch=1, note=NOTE, **{"for": seconds})["traffic"]["split"]["green"] == 25
    met.close()
    return met


def silence(service: Service) -> None:
    raise Unreachable("no answer")


def watch(agent: Agent, seconds: int) -> None:
    for dummy in range(seconds):
        agent.pass_time(1)


def test_it_stays_though_nobody_is_there(agent: Agent) -> None:
    parked(agent)
    watch(agent, 60)
    assert (agent.state, agent.driver.share(), agent.record.note) == ("armed", 25, NOTE)
    assert agent.record.lease.parked == "noon"


def test_the_order_may_come_twice(agent: Agent) -> None:
    parked(agent)
    watch(agent, 10)
    assert ask(agent.meet(), "park", epoch=1, **{"for": HOUR}, **WEB)["ok"]
    assert agent.tenure.watched == 10


def test_it_goes_back_when_its_time_is_over(agent: Agent) -> None:
    parked(agent, 5.0)
    watch(agent, 6)
    assert (agent.state, agent.driver.share(), agent.record.lease.parked) == ("reverted", 0, "")
    assert agent.paged == [("reverted", "it was parked for 5 s, and nobody took it up")]


def test_or_is_held_where_that_was_wanted(agent: Agent) -> None:
    parked(agent, 5.0, on_expiry="hold")
    watch(agent, 6)
    assert (agent.state, agent.driver.share(), agent.record.lease.parked) == ("held", 25, "")


def test_a_person_ends_it(agent: Agent) -> None:
    parked(agent)
    assert ask(agent.meet(), "revert", force=True, reason="ann says", **WEB)["ok"]
    watch(agent, 2)
    assert (agent.state, agent.driver.share(), agent.record.lease.parked) == ("reverted", 0, "")


def test_the_reflex_ends_it(agent: Agent) -> None:
    parked(agent)
    agent.tenure.end("reflex: green fails")
    agent.pass_time()
    assert (agent.state, agent.driver.share()) == ("reverted", 0)
    assert agent.paged == [("reverted", "reflex: green fails")]


def test_a_guard_that_dies_leaves_nothing_parked(agent: Agent) -> None:
    parked(agent)
    agent.start()
    agent.pass_time(0)
    assert (agent.state, agent.driver.share()) == ("reverted", 0)


def test_a_split_of_somebody_else_is_put_back(agent: Agent) -> None:
    parked(agent)
    agent.driver.weigh("green", 100)
    watch(agent, 2)
    assert agent.driver.share() == 25


# --- taking it up


def taken(agent: Agent, **other: Any) -> dict[str, Any]:
    return ask(agent.meet(), "acquire", **{**RUN, "run": "r2", "takes": "r1", **other})


def test_its_own_run_takes_it_up_with_the_share_as_it_is(agent: Agent) -> None:
    parked(agent)
    leave(agent.store, agent.gate, "test", "web", "lock", "eve", "o1", "noon")
    leave(agent.store, agent.gate, "test", "web", "unlock", "eve", "o2", "noon")
    watch(agent, 60)
    writes = len(agent.driver.calls)
    reply = taken(agent)
    assert (reply["epoch"], reply["took_over"], reply["parked"]) == (2, None, 60.0)
    assert "write" not in repr(agent.driver.calls[writes:])
    record = agent.record
    assert (record.lease.state, record.lease.run, record.lease.parked, record.rollouts) == ("armed", "r2", "", ())
    watch(agent, 11)
    assert agent.state == "reverted", "from now on it wants to be renewed"


def test_a_gap_is_not_watched_and_neither_is_a_proxy_that_is_silent(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    parked(agent)
    watch(agent, 10)
    agent.pass_time(HOUR / 2)  # the machine was suspended
    with monkeypatch.context() as silent:
        silent.setattr(agent.driver, "observe", silence)
        watch(agent, 10)
    assert taken(agent)["parked"] == 12.0


@pytest.mark.parametrize(
    "other",
    [
        {"takes": "r7"},
        {"takes": ""},
        {"release": "v3"},
        {"stable": "green", "canary": "blue"},
    ],
)
def test_nobody_else_takes_it(agent: Agent, other: dict[str, Any]) -> None:
    parked(agent)
    reply = taken(agent, **other)
    assert not reply["ok"]
    assert reply["error"]["code"] == "busy"
    for word in ("r1", "ann", "since noon", "v2", "takes it up", "abort"):
        assert word in reply["error"]["text"]
    watch(agent, 20)
    assert agent.driver.share() == 25


def test_what_is_not_parked_cannot_be_taken_up(agent: Agent) -> None:
    parked(agent, 5.0)
    watch(agent, 6)
    reply = taken(agent)
    assert reply["error"]["code"] == "idle"
    assert "nobody took it up" in reply["error"]["text"]


def test_the_run_that_parked_raises_nothing_any_more(agent: Agent) -> None:
    parked(agent)
    assert refusal(agent.meet(), "arm", epoch=1, wanted=split(50), **WEB)[0] == "busy"
    assert ask(agent.meet(), "arm", epoch=1, wanted=split(25), max_hold=1, **WEB)["ok"]
    watch(agent, 20)
    assert agent.driver.share() == 25, "a last word of it that was late ends nothing"


# --- what is refused


def test_only_a_resident_guard_keeps_it(agent: Agent) -> None:
    met = agent.at_25()
    code, text = refusal(met, "park", epoch=1, **{"for": HOUR})
    assert (code, "role router" in text) == ("bad_request", True)


@pytest.mark.parametrize("seconds", [0, 0.5, 32 * 86400])
def test_for_how_long(agent: Agent, seconds: float) -> None:
    agent.kind = "resident"
    assert refusal(agent.at_25(), "park", epoch=1, **{"for": seconds})[0] == "bad_request"


def test_what_was_not_armed_cannot_be_parked(agent: Agent) -> None:
    agent.kind = "resident"
    met = agent.meet()
    ask(met, "acquire", run="r1", **RUN)
    assert refusal(met, "park", epoch=1, **{"for": HOUR})[0] == "idle"


def test_an_order_has_nobody_to_hear_it(agent: Agent) -> None:
    parked(agent)
    with pytest.raises(LeaseError, match=r"no run to pause: run r1 of ann is parked here"):
        leave(agent.store, agent.gate, "test", "web", "pause", "eve", "o1", "noon")


def test_status_says_since_when_until_when_and_what_ends_it(agent: Agent, tmp_path: Path) -> None:
    parked(agent)
    said = "\n".join(described(agent.record, None, None, "no answer"))
    assert "parked since noon, until 3600 s later; a rollout of release v2 takes it up" in said
    assert "step 1 of 2, parked: held 3 s of 20 s" in said
    assert "zdm-agent revert web" in said
