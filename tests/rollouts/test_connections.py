# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that last: a WebSocket at canary when that is turned back, or when its members are touched."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support.fleet import Fleet
from tests.support.lasting import WebSocket
from tests.support.playbook import Playbook
from tests.support.wait import until

DEPLOY = "- name: Touch it\n  ansible.builtin.debug:\n    msg: touched {{ zdm_member }}\n"
RETIRE = "- name: Stop it\n  ansible.builtin.debug:\n    msg: stopped {{ zdm_member }}\n"
#: Where the guard of a lease learns that it shall close what is left.
WHEN = 'self._closing = Closing(terms.get("close_after"))'


def at(release: str, fleet: Fleet) -> WebSocket:
    """A WebSocket at a member with this release; the split decides about each."""
    with ExitStack() as others:
        while True:
            chat = WebSocket(fleet.url())
            if chat.release == release:
                return chat
            others.enter_context(chat)


def held(fleet: Fleet) -> Playbook:
    """A rollout that will go on holding at 25 %."""
    fleet.spec["steps"] = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
    running = fleet.start("rollout")
    running.says(": read back")
    return running


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_what_is_under_way_goes_on_after_a_revert_and_is_told(fleet: Fleet) -> None:
    running = held(fleet)
    with at("v2", fleet) as chat:
        fleet.members["green"].behave(fail=1.0)
        ended = running.wait()
        assert ended.code == 2
        assert fleet.shares() == [0.0]
        left = fleet.outcome()["left"]["lb1"]
        assert left >= 1
        assert "lb1: back at stable; %d under way at green" % left in ended.output
        assert [event.get("left") for event in fleet.events() if event["event"] == "reverted"] == [left]
        assert chat.lives()
        assert "green: green up; 1 under way" in fleet.routers[0].agent("status").stdout


@pytest.mark.parametrize("fleet", ["haproxy-managed"], indirect=True)
def test_what_is_under_way_is_closed_after_its_time(fleet: Fleet) -> None:
    fleet.spec.update(on_revert="close", drain_timeout="2s")
    old = at("v1", fleet)
    running = held(fleet)
    with old, at("v2", fleet) as chat:
        assert fleet.play("abort", log="abort.log").code == 0
        assert chat.lives(), "it has its time to end"
        assert running.wait().code == 2
        until(lambda: not chat.lives(), "it to be closed")
        assert old.lives(), "stable's are nobody's business"
    until(lambda: "1 sessions were closed" in fleet.routers[0].agent("history", "web").stdout, "the record to say so")


@pytest.mark.parametrize("fleet", ["haproxy-managed"], indirect=True)
def test_what_is_under_way_is_not_closed_by_a_guard_that_knows_of_no_time__control(fleet: Fleet) -> None:
    fleet.spec.update(on_revert="close", drain_timeout="1s")
    fleet.alter("module_utils/agent/tenure.py", WHEN, "self._closing = Closing(None)")
    running = held(fleet)
    with at("v2", fleet) as chat:
        assert fleet.play("abort", log="abort.log").code == 0
        assert running.wait().code == 2
        until(lambda: not fleet.left(), "its guard to have ended")
        assert chat.lives()


@pytest.mark.parametrize("fleet", ["envoy"], indirect=True)
def test_closing_is_refused_where_it_cannot_be_done(fleet: Fleet) -> None:
    fleet.spec["on_revert"] = "close"
    refused = fleet.play("rollout")
    assert refused.code == 2
    assert "expected a router that can close what is under way" in " ".join(refused.output.split())
    assert fleet.shares() == [0.0]


@pytest.mark.parametrize("fleet", ["haproxy", "envoy"], indirect=True)
def test_members_are_touched_when_nothing_is_under_way_there_or_it_took_too_long(fleet: Fleet) -> None:
    (fleet.directory / "deploy.yml").write_text(DEPLOY, encoding="utf-8")
    fleet.spec.update(steps=[{"weight": 100}], checks={}, hooks={"deploy": {"tasks": "deploy.yml"}})
    with at("v1", fleet):
        ended = fleet.play("rollout")
        assert ended.code == 0, ended.output
        assert "waiting" not in ended.output, "green has nothing under way"

        fleet.spec.update(release="v3", drain_timeout="2s")
        late = fleet.play("rollout")
        assert late.code == 0, late.output
        waits, cut = (
            "waiting at most 2s for 1 under way through lb1 at blue",
            "1 under way through lb1 at blue after 2s",
        )
        assert late.output.index(waits) < late.output.index(cut) < late.output.index("touched blue")
        assert cut in str([event.get("remark") for event in fleet.events()])

    chat = at("v1", fleet)  # its name did not change: the members are the same processes
    fleet.spec.update(release="v4", drain_timeout="60s")
    assert fleet.play("rollout").code == 0
    fleet.spec.update(release="v5")
    soon = fleet.start("rollout")
    soon.says("waiting at most 1m for 1 under way through lb1 at blue")
    chat.close()
    assert soon.wait().code == 0
    assert "it is cut" not in soon.output


@pytest.mark.parametrize("fleet", ["haproxy"], indirect=True)
def test_the_old_pool_is_let_go_when_nothing_is_under_way_there_or_it_took_too_long(fleet: Fleet) -> None:
    (fleet.directory / "retire.yml").write_text(RETIRE, encoding="utf-8")
    fleet.spec.update(steps=[{"weight": 100}], checks={}, hooks={"retire": {"tasks": "retire.yml"}}, drain_timeout="1s")
    with at("v1", fleet) as chat:
        assert fleet.play("rollout").code == 0
        let_go = fleet.play("finish", log="finish.log")
        assert let_go.code == 0, let_go.output
        said = " ".join(let_go.output.split())
        assert said.index("1 under way there are cut when its members stop") < said.index("stopped blue")
        assert chat.lives(), "this hook has stopped nothing"
