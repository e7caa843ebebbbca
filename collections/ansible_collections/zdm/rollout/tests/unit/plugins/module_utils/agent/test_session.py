# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations with an agent's session: who may what, and what happens when one ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Arm
from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import OPERATIONS
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import DOWN, UP, Wanted

from .agents import RUN, WEB, Agent, ask, split
from .driver import SERVICE, Blind, acquire, order


def refusal(met: Session, operation: str, **keys: Any) -> tuple[str, str]:
    """Code and text of the agent's no."""
    reply = ask(met, operation, **keys)
    assert not reply["ok"], reply
    return reply["error"]["code"], reply["error"]["text"]


def renewed(met: Session, epoch: int = 1) -> dict[str, Any]:
    """What a renewal says after the next sample."""
    met.sample()
    return ask(met, "renew", epoch=epoch)


def test_hello_comes_first(agent: Agent) -> None:
    stranger = Session(agent.store)
    for operation, keys in (("read", {"service": SERVICE.to_json()}), ("acquire", {"run": "r1", **RUN})):
        code, text = refusal(stranger, operation, **keys)
        assert (code, "say hello first" in text) == ("bad_request", True)
    hello = ask(stranger, "hello", versions=[1, 2], router={"type": "fake"})
    assert (hello["version"], hello["agent"]) == (1, "")
    assert ask(stranger, "acquire", run="r1", **RUN)["ok"], "what was refused before left nothing behind"


def test_a_controller_that_is_only_newer_is_told_so(agent: Agent) -> None:
    assert refusal(Session(agent.store), "hello", versions=[2], router={})[0] == "version"


def test_every_operation_of_the_protocol_is_there(agent: Agent) -> None:
    assert set(agent.meet()._operations) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        ("read", {"service": {}}),
        ("read", {"service": {**SERVICE.to_json(), "pools": []}}),
        ("acquire", {"run": "r1", **RUN, "service": {**SERVICE.to_json(), "pools": {"blue": [{"name": "x"}]}}}),
        ("acquire", {"run": "r1", **RUN, "stable": "red"}),
        ("arm", {"epoch": 1, "wanted": {}}),
        ("arm", {"epoch": 1, "wanted": {"split": []}}),
        ("arm", {"epoch": 1, "wanted": {"split": {"blue": 90, "green": 20}}}),
        ("arm", {"epoch": 1, "wanted": {"split": {"blue": "75", "green": 25}}}),
        ("probe", {"service": {}, "request": {"member": "blue-1", "path": "/", "timeout": 1}}),
        ("renew", {"epoch": 1, "note": "x" * 9000}),
        ("revert", {"reason": "neither epoch nor force"}),
        ("order", {**WEB, "verb": "fly", "by": "bob"}),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(agent: Agent, operation: str, keys: dict[str, Any]) -> None:
    met = agent.at_25()
    before = agent.store.load("test", "web")
    assert refusal(met, operation, **keys)[0] == "bad_request"
    assert (agent.store.load("test", "web"), agent.driver.share(), met.holds) == (before, 25, True)


def test_while_one_holds_the_next_is_told_who_and_what_to_do(agent: Agent) -> None:
    agent.at_25()
    code, text = refusal(agent.meet(), "acquire", run="r2", **RUN)
    assert code == "busy"
    for word in ("run r1", "ann", "release v2", "zdm-agent revert"):
        assert word in text
    assert agent.driver.share() == 25


def test_a_lease_that_ends_while_the_next_one_asks_is_not_left_without_a_holder(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever acquires it then would not bring it back at its end."""
    first, second = agent.at_25(), agent.meet()
    applying = agent.store.applying

    def just_before() -> AbstractContextManager[None]:
        monkeypatch.setattr(agent.store, "applying", applying)
        ask(first, "disarm", epoch=1)
        return applying()

    monkeypatch.setattr(agent.store, "applying", just_before)
    assert refusal(second, "acquire", run="r2", **RUN) == (
        "busy",
        "another session is about to acquire this service or to leave it: try again",
    )
    assert agent.store.load("test", "web").lease.epoch == 1
    assert ask(second, "acquire", run="r2", **RUN)["epoch"] == 2
    assert second.holds


def test_a_session_holds_one_lease(agent: Agent) -> None:
    assert "a connection each" in refusal(agent.at_25(), "acquire", run="r2", **RUN)[1]


def test_a_dead_owners_lease_is_taken_over_and_its_traffic_brought_back(agent: Agent) -> None:
    # Killed: its lease is recorded as armed, and nobody holds the lock.
    for event in (acquire("r1"), Arm(1, split(25)["split"])):
        apply(agent.store, agent.driver, Blind(), order(event))
    reply = ask(agent.meet(), "acquire", run="r2", **RUN)
    assert (reply["epoch"], reply["took_over"]["run"], reply["took_over"]["owner"]) == (2, "r1", "ann")
    assert agent.driver.share() == 0


def test_an_epoch_that_is_over_changes_nothing(agent: Agent) -> None:
    agent.at_25("r1").close("gone")
    met = agent.at_25("r2")
    wrote = list(agent.driver.wrote)
    for operation, keys in (
        ("arm", {"wanted": split(100)}),
        ("revert", {"reason": "late"}),
        ("revert", {"reason": "late", **WEB}),
        ("disarm", {}),
        ("renew", {}),
    ):
        assert refusal(met, operation, epoch=1, **keys)[0] == "fenced", operation
    assert (agent.driver.wrote, met.holds) == (wrote, True)
    assert ask(met, "arm", epoch=2, wanted=split(50))["traffic"]["split"]["green"] == 50


def test_without_a_lease_there_is_nothing_to_arm_or_renew(agent: Agent) -> None:
    for operation, keys in (("arm", {"wanted": split(25)}), ("renew", {}), ("disarm", {})):
        assert refusal(agent.meet(), operation, epoch=1, **keys)[0] == "idle"
    assert agent.driver.wrote == []


def test_a_renewal_brings_all_that_the_contract_says(agent: Agent) -> None:
    reply = renewed(agent.at_25())
    assert {*reply} - {"id", "ok"} == {
        *("state", "reason", "t", "traffic", "counters", "failure", "corrections", "orders")
    }
    assert (reply["state"], reply["failure"], reply["corrections"], reply["orders"]) == ("armed", "", 0, [])
    assert reply["traffic"]["split"] == {"blue": 75.0, "green": 25.0}
    assert set(reply["counters"]) == set(agent.driver.members)
    assert reply["counters"]["green-1"] == {"requests": 10, "failures": 1, "kinds": {"http_5xx": 1}}


def test_a_router_that_cannot_be_read_is_said_and_forgotten(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.broken = {"read"}
    assert renewed(met)["failure"] == "read: the proxy says no"
    agent.driver.broken = set()
    assert renewed(met)["failure"] == ""


def test_a_note_is_kept_unread(agent: Agent) -> None:
    met = agent.at_25()
    note = {"step": 1, "held": 3.5}
    ask(met, "renew", epoch=1, note=note)
    ask(met, "renew", epoch=1)
    assert ask(agent.meet(), "read", service=SERVICE.to_json())["record"]["note"] == note


def test_an_order_of_a_person_comes_with_the_next_renewal(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "order", verb="abort", by="bob", **WEB)["ok"]
    (said,) = renewed(met)["orders"]
    assert (said["verb"], said["by"]) == ("abort", "bob")
    met.close("gone")
    assert "nothing to abort" in refusal(agent.meet(), "order", verb="abort", by="bob", **WEB)[1]


@pytest.mark.parametrize(
    ("last", "share", "outcome"),
    [(None, 0, "rolled_back"), ("disarm", 25, "released")],
    ids=["armed", "disarmed: the control"],
)
def test_the_end_of_a_session_takes_back_what_is_on_loan(
    agent: Agent, last: str | None, share: float, outcome: str
) -> None:
    met = agent.at_25()
    if last:
        ask(met, last, epoch=1)
    assert met.close("gone") == ""
    assert agent.driver.share() == share
    (rollout,) = ask(agent.meet(), "history", **WEB)["rollouts"]
    assert rollout["outcome"] == outcome
    assert ask(agent.meet(), "acquire", run="r2", **RUN)["took_over"] is None


def test_the_end_that_cannot_take_it_back_can_be_tried_again(agent: Agent) -> None:
    met = agent.at_25()
    agent.driver.broken = {"revert"}
    assert met.close("gone") == "revert: the proxy says no"
    assert refusal(agent.meet(), "acquire", run="r2", **RUN)[0] == "busy", "its debt is not paid"
    agent.driver.broken = set()
    assert met.close("gone") == ""
    assert agent.driver.share() == 0


def test_a_persons_revert_is_the_last_word(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "revert", reason="bob says", force=True, **WEB)["traffic"]["split"]["green"] == 0
    assert refusal(met, "arm", epoch=1, wanted=split(50)) == ("reverted", "the lease ended in a revert: bob says")
    assert (renewed(met)["state"], renewed(met)["reason"]) == ("reverted", "bob says")
    assert met.close("gone") == ""
    assert agent.driver.share() == 0


def test_the_revert_of_another_service_leaves_this_one_held(agent: Agent) -> None:
    """Both are at their first epoch."""
    met = agent.at_25()
    web = agent.store.load("test", "web")
    agent.store.save(replace(web, name="api"))
    assert ask(met, "revert", reason="bob says", force=True, name="api", environment="test")["ok"]
    agent.driver.write(SERVICE, Wanted.from_json(split(25)))  # the fake has one service; this one keeps its share
    assert met.holds
    met.close("gone")
    assert agent.driver.share() == 0


def member_falls_out(agent: Agent) -> None:
    agent.driver.members["blue-1"] = replace(agent.driver.members["blue-1"], health=DOWN)


def member_comes_back(agent: Agent) -> None:
    agent.driver.members["blue-1"] = replace(agent.driver.members["blue-1"], health=UP)


def somebody_sets_weights(agent: Agent) -> None:
    for name in ("green-1", "green-2"):
        agent.driver.members[name] = replace(agent.driver.members[name], weight=500)


@pytest.mark.parametrize(
    ("happens", "corrections", "share"),
    [
        ([], 0, 25),
        ([member_falls_out], 1, 25),
        ([member_falls_out, member_comes_back], 2, 25),
        ([somebody_sets_weights], 0, 100 * 1000 / 1750),
        ([member_falls_out, somebody_sets_weights], 1, 100 * 1000 / 1750),
    ],
    ids=["nothing", "a member falls out", "and comes back", "somebody else", "a member and then somebody else"],
)
def test_a_share_that_members_move_is_put_right_and_one_that_somebody_set_is_not(
    agent: Agent, happens: list[Callable[[Agent], None]], corrections: int, share: float
) -> None:
    met = agent.at_25()
    for happening in happens:
        happening(agent)
        renewed(met)
    reply = renewed(met)
    assert reply["corrections"] == corrections
    assert agent.driver.share() == pytest.approx(share, abs=0.1)
    assert reply["traffic"]["split"]["green"] == pytest.approx(share, abs=0.1)


def test_what_is_no_longer_on_loan_is_not_put_right(agent: Agent) -> None:
    met = agent.at_25()
    ask(agent.meet(), "revert", reason="bob says", force=True, **WEB)
    wrote = list(agent.driver.wrote)
    somebody_sets_weights(agent)
    member_falls_out(agent)
    assert renewed(met)["corrections"] == 0
    assert agent.driver.wrote == wrote
