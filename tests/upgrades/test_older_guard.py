# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A newer controller meets the guard of version 1, which lives longer than its file: in the middle of a rollout too."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from typing import IO, cast

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Store
from ansible_collections.zdm.rollout.plugins.plugin_utils._build import release
from tests.support.agent import Connection, Installed, Refused
from tests.support.fleet import Fleet
from tests.support.traffic import traffic
from tests.support.wait import until
from tests.upgrades.frozen import OLD, PRESENT, VERSION1, installed, left_behind, resident, words

AT_25, AT_75 = pytest.approx(25, abs=0.5), pytest.approx(75, abs=0.5)
STEPS = [{"weight": 50}, {"weight": 100}]
ANOTHER = "its guard is of another release of zdm"


def test_the_frozen_agent_is_version_1_and_another_one() -> None:
    source = subprocess.run(
        [sys.executable, str(VERSION1 / "zdm-agent.pyz"), "--help"], text=True, capture_output=True, check=True
    )
    assert "lock" not in source.stdout, "it has no verb that came later"
    assert len(OLD) < 200_000
    with Fleet() as fleet, installed(fleet, OLD).connect() as connection:
        hello = connection.hello()
        assert hello["version"] == 1
        assert hello["agent"].startswith("63e070b3"), "the digest of its sources, as version1/README.md has it"
        assert hello["agent"] != release()


@pytest.mark.parametrize("proxy", ["haproxy", "envoy"])
def test_a_rollout_takes_over_from_a_watch_that_was_killed(proxy: str) -> None:
    """Its resident guard brings traffic back, and carries the next rollout to its end."""
    with Fleet(proxy=proxy) as fleet, traffic(fleet, 100) as (client,), resident(fleet, OLD) as placed:
        fleet.spec.update(guard="resident", steps=STEPS, checks={})
        guard = placed.guard
        with placed.connect() as watch:
            watch.acquire(guard="resident", ttl=60)
            watch.arm(25)
            assert fleet.shares() == [AT_25]
            watch.process.kill()
        until(lambda: fleet.shares() == [0.0], "the guard to bring back what was on loan")
        ended = fleet.play("rollout", "-e", "zdm_release=v3")
        assert ended.code == 0, ended.output
        assert fleet.shares() == [100.0]
        assert placed.guard == guard
        assert placed.file.read_bytes() == PRESENT, "the file is the controller's own by now"
        assert "took over from run r1 of ann@desk" in words(ended.output)
        assert ANOTHER in words(ended.output)
        rollouts = [(rollout["release"], rollout["outcome"]) for rollout in placed.record["rollouts"]]
        assert rollouts == [("v2", "rolled_back"), ("v3", "promoted")]
    assert client.result.failed == 0


def test_nobody_takes_over_from_a_watch_that_lives() -> None:
    """A session guard ends with its lease: then the next rollout starts one of its own, and is not refused."""
    with Fleet() as fleet, traffic(fleet, 100) as (client,):
        fleet.spec.update(steps=STEPS, checks={})
        placed = installed(fleet, OLD)
        with placed.connect() as watch:
            watch.acquire(ttl=300)
            watch.arm(25)
            refused = fleet.play("rollout", "-e", "zdm_release=v3")
            assert refused.code == 2
            assert "run r1 of ann@desk holds the lease" in words(refused.output)
            assert "end it with 'zdm-agent revert' on this router" in words(refused.output)
            assert fleet.shares() == [AT_25]
            assert watch.renew()["state"] == "armed"
            watch.hang_up()
        until(lambda: fleet.shares() == [0.0], "the guard to bring back what was on loan")
        until(lambda: not placed.guard, "a session guard to end with its lease")
        ended = fleet.play("rollout", "-e", "zdm_release=v3")
        assert ended.code == 0, ended.output
        assert ANOTHER not in words(ended.output)
        assert fleet.shares() == [100.0]
    assert client.result.failed == 0


def test_looks_and_orders_while_it_minds_a_lease() -> None:
    """Verb by verb, from the playbooks, while a watch of version 1 lives; release v2 was promoted to green before."""
    with Fleet() as fleet, traffic(fleet, 100) as (client,):
        left_behind(fleet, "idle")
        fleet.spec.update(guard="resident", steps=STEPS, checks={})
        with resident(fleet, OLD) as placed, placed.connect() as watch:
            for verb in ("lock", "finish"):
                refused = fleet.play(verb)
                assert refused.code == 2
                assert "is of an older zdm that does not know '%s'" % verb in words(refused.output)
                assert "apply the role router" in words(refused.output)
            lent(placed, watch)

            # Status and history are what the archive has of the router; a person's commands take the same way.
            bundle = fleet.play("bundle", "-e", "zdm_bundle=%s" % (fleet.directory / "bundle.tar.gz"))
            assert bundle.code == 0, bundle.output
            with tarfile.open(fleet.directory / "bundle.tar.gz") as tar:
                found = json.load(cast(IO[bytes], tar.extractfile("routers/lb1/traffic.json")))
            assert "release v3 of run r2, by ann@desk" in " ".join(found["summary"])
            assert "minded by process %d" % placed.guard in " ".join(found["summary"])
            assert [line[31:] for line in found["history"]] == ["v2  promoted  blue to green, by ann@desk"]
            for verb in ("status", "history web"):
                assert placed.command(*verb.split()).returncode == 0

            assert placed.command("pause", "web").returncode == 0
            assert fleet.play("promote", "-e", "zdm_reason='a look'").code == 0
            orders = watch.renew(2, note={"step": 0})["orders"]
            assert [order["verb"] for order in orders] == ["pause", "promote"], "the watch hears of it"
            abort = fleet.play("abort")
            assert abort.code == 0, abort.output
            assert fleet.shares() == [100.0]
            assert watch.renew(2)["state"] == "reverted"
    assert client.result.failed == 0


def lent(placed: Installed, watch: Connection, epoch: int = 2) -> None:
    """A watch has a quarter of the traffic at blue, for release v3; green is stable."""
    watch.hello()
    run = {"run": "r2", "owner": "ann@desk", "release": "v3", "stable": "green", "canary": "blue"}
    watch.ask("acquire", service=placed.service.to_json(), terms={"guard": "resident", "ttl": 300}, **run)
    watch.ask("arm", epoch=epoch, wanted={"split": {"blue": 25, "green": 75}, "stable": "green"})


@pytest.mark.parametrize("agent", [OLD, PRESENT], ids=["version1", "control"])
def test_what_it_would_forget_is_refused(agent: bytes) -> None:
    """A lock is a key that came later: a guard that does not know it drops it with the next thing that it writes."""
    with Fleet() as fleet:
        left_behind(fleet, "idle")
        fleet.spec.update(guard="resident", checks={})
        with resident(fleet, agent) as placed, placed.connect() as watch:
            placed.file.unlink()  # the guard goes on with the one that it has open
            placed.file.write_bytes(PRESENT)
            said = placed.command("lock", "web")
            assert said.returncode == (agent is OLD), said.stderr
            if agent is OLD:
                assert "is of an older zdm that does not know 'lock' and would drop it" in said.stderr
                assert "apply the role router, which starts the present one, and do this again" in said.stderr
                store = Store(str(placed.state))
                found = store.load("test", "web")
                assert found.locked is None, "nothing was written"
                undo = fleet.play("undo")
                assert undo.code == 0, "what does not need such a key works: %s" % undo.output
                assert fleet.shares() == [0.0]
                found = store.load("test", "web")
                store.save(replace(found, locked={"by": "ann@desk"}))
                lent(placed, watch, epoch=3)
                assert not placed.record.get("locked"), "it would have been gone, and a rollout would have started"
            else:
                with pytest.raises(Refused, match="is locked by"):
                    lent(placed, watch)
                assert placed.record["locked"]
