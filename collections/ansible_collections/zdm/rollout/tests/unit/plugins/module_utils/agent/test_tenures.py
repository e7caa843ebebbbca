# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All tenures of a guard: what one before it left behind, what a run begins, and what many services have in common."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import tenures as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import LeaseError, Tick
from ansible_collections.zdm.rollout.plugins.module_utils.agent.tenure import Tenure
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP, Unreachable, Wanted

from .agents import RUN, WEB, Agent, ask, refusal, split
from .driver import SERVICE, order

LEFT = "the guard that minded it has died"


def die(agent: Agent) -> None:
    """The guard is killed, and another one begins."""
    agent.start()


def test_what_a_dead_guard_left_behind_goes_back_at_once(agent: Agent) -> None:
    agent.at_25()
    die(agent)
    assert agent.tenures.minded
    agent.pass_time(0)
    assert (agent.state, agent.record.lease.reason, agent.driver.share()) == ("reverted", LEFT, 0)
    assert agent.paged == [("reverted", LEFT)]
    assert not agent.tenures.minded


def test_or_is_held_where_that_was_wanted(agent: Agent) -> None:
    agent.at_25(on_expiry="hold")
    die(agent)
    agent.pass_time(0)
    assert (agent.state, agent.record.lease.reason, agent.driver.share()) == ("held", LEFT, 25)


def test_the_old_run_is_told_so(agent: Agent) -> None:
    agent.at_25()
    die(agent)
    agent.pass_time(0)
    reply = agent.renewed(agent.meet(), **WEB)
    assert (reply["state"], reply["reason"]) == ("reverted", LEFT)
    assert refusal(agent.meet(), "arm", epoch=1, wanted=split(50), **WEB)[0] == "reverted"


def test_also_when_it_renews_before_the_first_tick(agent: Agent) -> None:
    agent.at_25()
    die(agent)
    assert agent.renewed(agent.meet(), **WEB)["state"] == "reverted"
    assert agent.driver.share() == 0


def test_a_debt_that_a_dead_guard_could_not_pay_is_paid(agent: Agent) -> None:
    agent.at_25().close()
    agent.driver.ail("blue")
    agent.pass_time(1)
    why = agent.record.lease.reason
    die(agent)
    agent.pass_time(0)
    assert (agent.state, agent.record.lease.reason) == ("stuck", why)
    agent.driver.ail("blue", UP)
    agent.pass_time(1)
    assert (agent.state, agent.driver.share()) == ("reverted", 0)


@pytest.mark.parametrize("last", ["disarm", "revert"])
def test_what_has_ended_is_left_alone(agent: Agent, last: str) -> None:
    met = agent.at_25()
    ask(met, last, epoch=1, **({"reason": "bad"} if last == "revert" else {}))
    share = agent.driver.share()
    agent.driver.calls.clear()
    die(agent)
    agent.pass_time(20)
    assert (agent.driver.share(), agent.driver.calls, agent.tenures.minded) == (share, [], False)


def test_a_broken_record_keeps_no_other_from_its_end(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.at_25()
    folder = Path(agent.store.directory) / "test"
    text = (folder / "web.json").read_text()
    (folder / "a.json").write_text("junk")
    (folder / "b.json").write_text(text.replace('"pools"', '"pool"').replace('"name": "web"', '"name": "b"'))
    (folder / "c.json").write_text(text.replace('"type": "fake"', '"type": "gone"').replace('"web"', '"c"'))

    def open_router(definition: dict[str, str]) -> object:
        if definition["type"] == "gone":
            raise Unreachable("no such router")
        return agent.driver

    monkeypatch.setattr(room, "open_router", open_router)
    die(agent)
    agent.pass_time(0)
    assert (agent.state, agent.driver.share()) == ("reverted", 0)


def test_one_that_was_broken_when_the_guard_began_is_over_all_the_same(agent: Agent) -> None:
    agent.at_25()
    path = Path(agent.store.directory) / "test" / "web.json"
    whole = path.read_text()
    path.write_text("junk")
    die(agent)
    agent.pass_time(0)
    path.write_text(whole)
    assert agent.renewed(agent.meet(), **WEB)["state"] == "reverted"
    assert agent.driver.share() == 0


# --- a run begins


def test_while_a_lease_lives_there_is_no_other(agent: Agent) -> None:
    met = agent.at_25()
    assert refusal(agent.meet(), "acquire", run="r2", **RUN)[0] == "busy"
    assert agent.renewed(met)["state"] == "armed"


def test_one_whose_time_is_over_is_brought_to_its_end_first(agent: Agent) -> None:
    agent.at_25()
    agent.t += 10
    took_over = ask(agent.meet(), "acquire", run="r2", **RUN)["took_over"]
    assert (took_over["run"], took_over["state"]) == ("r1", "reverted")
    assert [rollout["run"] for rollout in agent.record.rollouts] == ["r1"]
    assert agent.driver.share() == 0


def test_what_is_held_is_brought_back_by_the_next_run(agent: Agent) -> None:
    agent.at_25(on_expiry="hold")
    agent.pass_time(10)
    assert agent.driver.share() == 25
    assert ask(agent.meet(), "acquire", run="r2", **RUN)["took_over"]["state"] == "held"
    assert agent.driver.share() == 0


def test_a_debt_that_cannot_be_paid_lets_nobody_in(agent: Agent) -> None:
    agent.at_25()
    agent.driver.ail("blue")
    agent.pass_time(10)
    assert refusal(agent.meet(), "acquire", run="r2", **RUN)[0] == "sick"
    assert (agent.state, agent.driver.share()) == ("stuck", 100.0)
    assert agent.record.lease.epoch == 1
    agent.driver.ail("blue", UP)
    agent.pass_time(1)
    assert (agent.state, agent.driver.share()) == ("reverted", 0)


def test_the_epoch_goes_on_after_a_guards_death(agent: Agent) -> None:
    agent.at_25()
    die(agent)
    assert ask(agent.meet(), "acquire", run="r2", **RUN)["epoch"] == 2


def test_a_tenure_begins_with_nothing_but_an_acquire(agent: Agent) -> None:
    with pytest.raises(TypeError, match="begins with an acquire"):
        agent.tenures.begin(agent.driver, replace(order(Tick(1.0)), service=SERVICE))


def test_where_no_rollout_was_there_is_no_tenure(agent: Agent) -> None:
    with pytest.raises(LeaseError, match="no rollout has been here for web in test"):
        agent.tenures.of("test", "web")


# --- many services


def test_the_end_of_the_guard_is_the_end_of_all(agent: Agent) -> None:
    agent.at_25()
    agent.driver.service = replace(SERVICE, name="api")
    met = agent.meet()
    ask(met, "acquire", run="r1", **{**RUN, "service": agent.driver.service.to_json()})
    agent.tenures.end("the guard was told to end")
    for name in ("web", "api"):
        agent.driver.service = replace(SERVICE, name=name)
        agent.tenures.of("test", name).tick()
        ended = agent.store.load("test", name).lease
        assert (ended.state, ended.reason) == ("reverted", "the guard was told to end")
    agent.driver.service = SERVICE
    assert agent.driver.read(SERVICE).split == Wanted({"blue": 100.0, "green": 0.0}, "blue").split


def test_a_defect_that_one_meets_keeps_no_other_from_its_end(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    agent.at_25()
    agent.copy("aaa")
    agent.copy("zzz")
    die(agent)
    ticks: list[str] = []

    def fails(tenure: Tenure) -> None:
        ticks.append(tenure.record.name)
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Tenure, "tick", fails)
    with pytest.raises(ZeroDivisionError):
        agent.tenures.tick()
    assert sorted(ticks) == ["aaa", "web", "zzz"]
