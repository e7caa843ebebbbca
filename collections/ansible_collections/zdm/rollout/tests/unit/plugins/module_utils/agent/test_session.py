# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations over one connection: what each operation asks and answers, and who may what."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.guard import here
from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import OPERATIONS
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session

from .agents import API, RUN, WEB, Agent, ask, refusal, split
from .driver import SERVICE


def test_hello_comes_first(agent: Agent) -> None:
    stranger = Session(agent.tenures, "session")
    for operation, keys in (("read", {"service": SERVICE.to_json()}), ("acquire", {"run": "r1", **RUN})):
        code, text = refusal(stranger, operation, **keys)
        assert (code, "say hello first" in text) == ("bad_request", True)
    hello = ask(stranger, "hello", versions=[1, 2], router={"type": "fake"})
    assert (hello["version"], hello["agent"], hello["guard"], hello["t"]) == (1, "", "session", agent.t)
    assert ask(stranger, "acquire", run="r1", **RUN)["ok"], "what was refused before left nothing behind"


def test_a_controller_that_is_only_newer_is_told_so(agent: Agent) -> None:
    assert refusal(Session(agent.tenures, "session"), "hello", versions=[2], router={})[0] == "version"


def test_every_operation_of_the_protocol_is_there(agent: Agent) -> None:
    assert set(agent.meet()._operations) == set(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        ("read", {"service": {}}),
        ("read", {"service": {**SERVICE.to_json(), "pools": []}}),
        ("acquire", {"run": "r1", **RUN, "service": {**SERVICE.to_json(), "pools": {"blue": [{"name": "x"}]}}}),
        ("acquire", {"run": "r1", **RUN, "stable": "red"}),
        ("acquire", {"run": "r1", **RUN, "terms": {"ttl": 0}}),
        ("arm", {"epoch": 1, "wanted": {}}),
        ("arm", {"epoch": 1, "wanted": {"split": []}}),
        ("arm", {"epoch": 1, "wanted": {"split": {"blue": 90, "green": 20}}}),
        ("arm", {"epoch": 1, "wanted": {"split": {"blue": "75", "green": 25}}}),
        ("probe", {"service": {}, "request": {"member": "blue-1", "path": "/", "timeout": 1}}),
        (
            "probe",
            {
                "service": {},
                "request": {
                    "member": {"name": "x", "address": "127.0.0.1", "port": 9},
                    "path": "",
                    "timeout": 1e300,
                },
            },
        ),
        ("renew", {"epoch": 1, "t": 1e6}),
        ("renew", {"epoch": 1, "t": 0.0, "note": "x" * 9000}),
        ("revert", {"reason": "neither epoch nor force"}),
        ("revert", {"reason": "force without a name", "force": True}),
        ("disarm", {}),
        ("disarm", {"force": True, **WEB}),
        ("order", {**WEB, "verb": "fly", "by": "bob"}),
    ],
)
def test_a_request_that_makes_no_sense_changes_nothing(agent: Agent, operation: str, keys: dict[str, Any]) -> None:
    met = agent.at_25()
    before = agent.record
    assert refusal(met, operation, **keys)[0] == "bad_request"
    assert (agent.record, agent.driver.share()) == (before, 25)


@pytest.mark.parametrize(
    "request_",
    [{"op": "fire"}, {"op": 5}, {}, {"op": "status", "more": 1}, {"op": "renew"}, {"op": "renew", "epoch": "1"}],
)
def test_who_asks_what_is_no_request_hears_it(agent: Agent, request_: dict[str, Any]) -> None:
    """Or the asker waits for a reply with this id until its patience ends."""
    reply = json.loads(agent.meet().answer(json.dumps({"id": 41, **request_})))
    assert (reply["id"], reply["ok"], reply["error"]["code"]) == (41, False, "bad_request")


def test_a_note_as_deep_as_the_stack_is_kept_or_refused_and_ends_nobody(agent: Agent) -> None:
    """Or the record that it is in could not be read any more."""
    met = agent.at_25()
    answers = set()
    for depth in (10, 60, *range(sys.getrecursionlimit() * 8 // 10, sys.getrecursionlimit(), 10)):
        note = "[" * depth + "]" * depth
        reply = met.answer('{"id": 7, "op": "renew", "epoch": 1, "t": %s, "note": %s}' % (agent.t, note))
        answers.add(json.loads(reply)["ok"])
        assert agent.renewed(met)["state"] == "armed"
    assert answers == {True, False}


def test_a_disk_that_cannot_be_listed_is_the_routers_trouble(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    met = agent.at_25()

    def broken(path: str) -> list[str]:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "listdir", broken)
    assert refusal(met, "status") == ("router", "[Errno 5] Input/output error")


def test_while_one_holds_the_next_is_told_who_and_what_to_do(agent: Agent) -> None:
    agent.at_25()
    code, text = refusal(agent.meet(), "acquire", run="r2", **RUN)
    assert code == "busy"
    for word in ("run r1", "ann", "release v2", "zdm-agent revert"):
        assert word in text
    assert agent.driver.share() == 25


def test_a_dead_owners_lease_is_taken_over_and_its_traffic_brought_back(agent: Agent) -> None:
    agent.at_25()
    agent.t += 10
    reply = ask(agent.meet(), "acquire", run="r2", **RUN)
    assert (reply["epoch"], reply["took_over"]["run"], reply["took_over"]["owner"]) == (2, "r1", "ann")
    assert agent.driver.share() == 0


def test_an_epoch_that_is_over_changes_nothing(agent: Agent) -> None:
    old = agent.at_25("r1")
    agent.pass_time(10)
    met = agent.at_25("r2")
    wrote = list(agent.driver.wrote)
    for session in (old, met):
        for operation, keys in (
            ("arm", {"wanted": split(100)}),
            ("revert", {"reason": "late"}),
            ("disarm", {}),
            ("renew", {"t": agent.t}),
        ):
            for named in ({}, WEB):
                assert refusal(session, operation, epoch=1, **keys, **named)[0] == "fenced", operation
    old.close()
    agent.pass_time(1.1)
    assert (agent.driver.wrote, agent.state) == (wrote, "armed")
    assert ask(met, "arm", epoch=2, wanted=split(50))["traffic"]["split"]["green"] == 50


def test_an_old_connection_that_knows_the_new_epoch_has_no_lease_of_its_own(agent: Agent) -> None:
    old = agent.at_25("r1")
    agent.pass_time(10)
    agent.at_25("r2")
    assert refusal(old, "arm", epoch=2, wanted=split(50))[0] == "idle"
    assert agent.renewed(old, 2, **WEB)["state"] == "armed", "it may renew by name, as any connection"


def test_without_a_lease_there_is_nothing_to_arm_or_renew(agent: Agent) -> None:
    for operation, keys in (("arm", {"wanted": split(25)}), ("renew", {"t": 1.0}), ("disarm", {})):
        for named in ({}, WEB):
            assert refusal(agent.meet(), operation, epoch=1, **keys, **named)[0] == "idle"
    assert agent.driver.wrote == []


def test_a_resident_guard_that_is_wanted_has_to_be_there(agent: Agent) -> None:
    code, text = refusal(agent.meet(), "acquire", run="r1", terms={"guard": "resident"}, **RUN)
    assert (code, text) == ("router", "the guard here is session, and a resident one is wanted: apply the role router")
    assert agent.record.lease.epoch == 0
    agent.kind = "resident"
    assert ask(agent.meet(), "acquire", run="r1", terms={"guard": "resident"}, **RUN)["epoch"] == 1


# --- renewals


def test_a_renewal_brings_all_that_the_contract_says(agent: Agent) -> None:
    met = agent.at_25()
    agent.pass_time()
    reply = agent.renewed(met)
    assert {*reply} - {"id", "ok"} == {
        *("state", "reason", "ended_by", "t", "expires_in", "traffic", "counters", "failure", "stable", "corrections"),
        *("foreign", "orders"),
    }
    assert (reply["state"], reply["reason"], reply["ended_by"], reply["failure"]) == ("armed", "", "", "")
    assert (reply["stable"], reply["corrections"], reply["foreign"], reply["orders"]) == ("", 0, [], [])
    assert (reply["t"], reply["expires_in"]) == (agent.t, 10.0)
    assert reply["traffic"]["split"] == {"blue": 75.0, "green": 25.0}
    assert set(reply["counters"]) == set(agent.driver.members)
    assert reply["counters"]["green-1"] == {"requests": 10, "failures": 1, "kinds": {"http_5xx": 1}}


def test_a_renewal_that_comes_too_late_is_told_what_became_of_it(agent: Agent) -> None:
    met = agent.at_25()
    agent.t += 10.1
    reply = agent.renewed(met)
    assert (reply["ok"], reply["state"], reply["ended_by"]) == (True, "reverted", "guard")
    assert reply["reason"] == "nobody renewed the lease for 10 s"
    assert agent.driver.share() == 0


def test_a_time_that_was_just_told_may_be_brought_back_at_once(agent: Agent) -> None:
    agent.t = 1000.0006
    met = agent.at_25()
    reply = ask(met, "renew", epoch=1, t=agent.t)
    assert (reply["t"], ask(met, "renew", epoch=1, t=reply["t"])["ok"]) == (1000.0, True)


def test_any_connection_may_renew_and_then_it_is_the_one_that_counts(agent: Agent) -> None:
    first, second = agent.at_25(), agent.meet()
    agent.renewed(second, **WEB)
    first.close()
    agent.pass_time(1.1)
    assert agent.state == "armed"
    second.close()
    agent.pass_time(0.9)
    assert agent.state == "armed"
    agent.pass_time(0.1)
    assert (agent.state, agent.record.lease.reason) == ("reverted", "the controller's connection ended")


def test_a_connection_that_carries_two_leases_ends_both(agent: Agent) -> None:
    met = agent.at_25()
    agent.copy()
    agent.start()  # and so both are over
    agent.tenures.tick()
    for name in ("web", "api"):
        service = {**RUN["service"], "name": name}
        agent.driver.service = replace(SERVICE, name=name)
        met = met if name == "api" else agent.meet()
        assert ask(met, "acquire", run="r2", **{**RUN, "service": service})["ok"]
    met.close()
    agent.t += 1.1
    for named in (WEB, API):
        agent.driver.service = replace(SERVICE, name=named["name"])
        agent.tenures.of(named["environment"], named["name"]).tick()
        assert agent.store.load(named["environment"], named["name"]).lease.state == "reverted"


def test_a_note_is_kept_unread(agent: Agent) -> None:
    met = agent.at_25()
    note = {"step": 1, "held": 3.5}
    agent.renewed(met, note=note)
    agent.renewed(met)
    assert ask(agent.meet(), "read", service=SERVICE.to_json())["record"]["note"] == note


# --- people


def test_an_order_of_a_person_comes_with_the_next_renewal(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "order", verb="pause", by="bob", reason="lunch", order="o1", **WEB)["traffic"] is None
    (said,) = agent.renewed(met)["orders"]
    assert (said["id"], said["verb"], said["by"], said["reason"]) == ("o1", "pause", "bob", "lunch")


def test_an_abort_is_a_revert_at_once(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "order", verb="abort", by="bob", **WEB)["traffic"]["split"]["green"] == 0
    reply = agent.renewed(met)
    assert (reply["state"], reply["ended_by"], reply["reason"]) == ("reverted", "person", "abort, by bob")


def test_a_persons_revert_is_the_last_word(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "revert", reason="bob says", force=True, **WEB)["traffic"]["split"]["green"] == 0
    assert refusal(met, "arm", epoch=1, wanted=split(50)) == ("reverted", "the lease ended in a revert: bob says")
    assert (agent.renewed(met)["state"], agent.renewed(met)["reason"]) == ("reverted", "bob says")
    met.close()
    agent.pass_time(1.1)
    assert agent.driver.share() == 0


def test_a_persons_disarm_keeps_the_split_and_ends_the_lease(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(agent.meet(), "disarm", force=True, by="bob", **WEB)["traffic"]["split"]["green"] == 25
    reply = agent.renewed(met)
    assert (reply["state"], reply["ended_by"], reply["reason"]) == ("idle", "person", "disarmed by bob")
    met.close()
    agent.pass_time(20)
    assert agent.driver.share() == 25


def test_the_revert_of_another_service_leaves_this_one_alone(agent: Agent) -> None:
    """Both are at their first epoch."""
    met = agent.at_25()
    agent.copy()
    assert ask(met, "revert", reason="bob says", force=True, **API)["ok"]
    assert agent.renewed(met)["state"] == "armed"


def test_the_runs_own_end(agent: Agent) -> None:
    met = agent.at_25()
    assert ask(met, "revert", epoch=1, reason="bad")["traffic"]["split"]["green"] == 0
    (rollout,) = ask(agent.meet(), "history", **WEB)["rollouts"]
    assert (rollout["outcome"], rollout["reason"]) == ("rolled_back", "bad")
    assert ask(agent.meet(), "acquire", run="r2", **RUN)["took_over"] is None
    assert [record["state"] for record in ask(met, "status")["records"]] == ["leased"]


# --- where no guard minds leases


@pytest.fixture
def unminded(agent: Agent) -> Session:
    """With a lease that a guard had, which is gone."""
    agent.at_25()
    session = here(agent.store, agent.said.append, "abc", "process 7 (stopped) does not answer")
    assert ask(session, "hello", versions=[1], router={"type": "fake"})["guard"] == "none"
    return session


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        ("acquire", {"run": "r2", **RUN}),
        ("arm", {"epoch": 1, "wanted": split(50)}),
        ("renew", {"epoch": 1, "t": 1.0}),
        ("disarm", {"epoch": 1}),
    ],
)
def test_nothing_is_lent_there(agent: Agent, unminded: Session, operation: str, keys: dict[str, Any]) -> None:
    before = agent.record
    said = ("router", "no guard minds leases on this host: process 7 (stopped) does not answer")
    for named in ({}, WEB) if operation != "acquire" else ({},):
        assert refusal(unminded, operation, **keys, **named) == said
    assert (agent.record, agent.driver.share()) == (before, 25)


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        ("revert", {"epoch": 1, "reason": "bad"}),
        ("revert", {"force": True, "reason": "bad"}),
        ("order", {"verb": "abort", "by": "bob"}),
    ],
)
def test_and_all_that_brings_traffic_back_is_done(
    agent: Agent, unminded: Session, operation: str, keys: dict[str, Any]
) -> None:
    assert ask(unminded, operation, **keys, **WEB)["traffic"]["split"]["green"] == 0
    assert (agent.state, agent.driver.share()) == ("reverted", 0)


def test_and_a_stale_epoch_changes_nothing_there_either(agent: Agent, unminded: Session) -> None:
    assert refusal(unminded, "revert", epoch=0, reason="late", **WEB)[0] == "fenced"
    assert agent.driver.share() == 25
