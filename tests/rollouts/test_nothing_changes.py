# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only looks, or is refused, changes nothing: no order reaches the proxy, no file comes or changes anywhere."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from tests.support.fleet import Fleet
from tests.support.relay import Relay
from tests.support.wait import until


class Looked:
    """A fleet whose router is reached through a relay that keeps what passes, and all files around it."""

    def __init__(self, fleet: Fleet, relay: Relay) -> None:
        self.fleet, self.relay = fleet, relay

    def files(self) -> dict[str, tuple[str, int]]:
        """Digest and time of change of every file of the fleet but the test's own, and the names of the directories."""
        own = ("playbook.log", "inventory.yml", "web.yml", "blue.log", "green.log", "relay.sock")
        return {
            str(path.relative_to(self.fleet.directory)): (
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
                path.stat().st_mtime_ns if path.is_file() else 0,
            )
            for path in sorted(self.fleet.directory.rglob("*"))
            if path.name not in own and path.exists() and not path.is_socket()
        }


@pytest.fixture
def looked() -> Iterator[Looked]:
    with Fleet() as fleet:
        router = fleet.routers[0]
        with Relay(fleet.directory / "relay.sock", router.haproxy.socket) as relay:
            fleet.variables["lb1"]["zdm_router"]["socket"] = str(relay.path)
            yield Looked(fleet, relay)


#: Playbook, arguments, environment; what it says; its exit code.
QUIET = {
    "plan": (("plan",), {}, "promoted at the earliest", 0),
    "rollout-check": (("rollout", "--check"), {}, "promoted at the earliest", 0),
    "status": (("status",), {}, "no rollout has been here", 0),
    "history": (("history",), {}, "no rollout of web in test has ended here", 0),
    "adopt": (("adopt", "-e", "zdm_routers=routers"), {}, "mode servers fits", 0),
    "adopt-check": (("adopt", "--check", "--diff", "-e", "zdm_routers=routers"), {}, "mode servers fits", 0),
    "limit": (("rollout", "--limit", "lb1"), {}, "--limit lb1 would cut off routers", 2),
    "limit-of-status": (("status", "--limit", "vm1"), {}, "--limit vm1 would cut off routers", 2),
    "no-spec": (("rollout", "-e", "zdm_spec="), {}, "expected -e zdm_spec=services/web.yml", 2),
    "strategy": (("rollout",), {"ANSIBLE_STRATEGY": "free"}, "strategy free does not keep the plays in step", 2),
}


@pytest.mark.parametrize("case", QUIET)
def test_quiet(looked: Looked, case: str) -> None:
    arguments, environment, says, code = QUIET[case]
    before, weights = looked.files(), looked.fleet.routers[0].weights()
    ended = looked.fleet.play(*arguments, **environment)
    assert says in " ".join(ended.output.split()), ended.output
    assert ended.code == code, ended.output
    assert looked.relay.orders == []
    assert looked.files() == before
    assert looked.fleet.routers[0].weights() == weights


def test_a_rollout_would_have_been_seen__control(looked: Looked) -> None:
    before = looked.files()
    looked.fleet.spec["progress_deadline"] = "1s"
    looked.fleet.play("rollout")
    assert looked.relay.orders
    assert looked.files() != before


def test_the_diff_of_the_plan_is_what_the_first_step_then_does(looked: Looked) -> None:
    planned = looked.fleet.play("plan").output
    after = re.findall(r"\+\+\+ after: weight of server web/(\w+)\n@@.*\n(?:[-\\].*\n)+\+(\d+)", planned)
    assert {server for server, weight in after} == {"blue", "green"}, planned
    looked.fleet.spec["steps"] = [{"weight": 25, "hold": "60s"}, {"weight": 100}]
    running = looked.fleet.start("rollout")
    running.says("lb1: read back")
    assert looked.fleet.routers[0].weights() == {server: int(weight) for server, weight in after}


def test_a_spec_that_is_wrong_is_refused_before_anything_is_started(looked: Looked) -> None:
    looked.fleet.spec["pools"]["green"]["prot"] = looked.fleet.spec["pools"]["green"].pop("port")
    before = looked.files()
    ended = looked.fleet.play("rollout")
    assert ended.code == 2
    assert "pools.green.prot" in ended.output
    assert looked.relay.commands == []
    assert looked.files() == before


def test_routers_that_show_no_stable_pool_are_refused(looked: Looked) -> None:
    router = looked.fleet.routers[0]
    router.haproxy.ask("set server web/green weight 40")
    weights = router.weights()
    ended = looked.fleet.play("rollout")
    assert ended.code == 2
    assert "write initial" in " ".join(ended.output.split())
    assert looked.relay.orders == []
    assert router.weights() == weights
    assert looked.fleet.outcome()["outcome"] == "refused"
    assert [event["event"] for event in looked.fleet.events()] == ["finished"]
    until(lambda: not looked.fleet.left(), "the watch to be gone")


def test_a_variable_that_cannot_be_read_is_named(looked: Looked) -> None:
    looked.fleet.variables["lb1"]["zdm_router"]["socket"] = "{{ nowhere }}"
    ended = looked.fleet.play("rollout")
    assert ended.code == 2
    (message,) = [line for line in ended.output.splitlines() if "msg:" in line]
    assert all(word in message for word in ("lb1", "zdm_router", "nowhere")), message
    assert looked.relay.commands == []
