# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a hand-written HAProxy to a rollout on it: one command, its lines pasted, the plan, the rollout."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fleet import Fleet
from tests.support.playbook import Ended, Playbook
from tests.support.ports import free_port

#: What the user's own inventory says of all hosts.
BASE = {"all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}


def play(fleet: Fleet, playbook: str, *arguments: str) -> Ended:
    """Run a playbook with the user's inventory ``base.yml`` and what is given here, not with the fleet's own."""
    base = fleet.directory / "base.yml"
    base.write_text(yaml.safe_dump(BASE), encoding="utf-8")
    (program, *dummy), environment = fleet.command(playbook)
    words = [program, "-i", str(base), "playbooks/%s.yml" % playbook, *arguments]
    return Playbook(words, fleet.directory / "playbook.log", environment).wait()


def pasted(output: str, directory: Path) -> tuple[Path, Path]:
    """The two blocks of lines, as somebody copies them from the terminal."""
    rest = output.partition("# ---- inventory")[2].partition("\n")[2]
    inventory, dummy, rest = rest.partition("# ---- spec")
    spec = rest.partition("\n")[2].partition("\nok: [")[0]
    paths = directory / "zdm.yml", directory / "service.yml"
    for path, text in zip(paths, (inventory, spec), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


@pytest.mark.parametrize("both", [False, True], ids=["blue serves", "both serve"])
def test_described_pasted_planned_and_rolled_out(fleet: Fleet, both: bool) -> None:
    router = fleet.routers[0]
    if both:
        router.haproxy.ask("set server web/green weight 60")
    weights, state = router.weights(), router.state
    where = json.dumps({"zdm_router": {"socket": str(router.haproxy.socket), "state": str(state)}})
    adopted = play(fleet, "adopt", "-i", "lb1,", "-e", where)
    assert adopted.code == 0, adopted.output
    assert router.weights() == weights
    assert not state.exists()

    assert ("both pools take traffic now (blue 62.5 %, green 37.5 %)" in adopted.output) is both

    inventory, spec = pasted(adopted.output, fleet.directory)
    planned = play(fleet, "plan", "-i", str(inventory), "-e", "zdm_spec=%s" % spec)
    assert planned.code == 0, planned.output
    assert "promoted at the earliest" in " ".join(planned.output.split())
    assert router.weights() == weights

    text = spec.read_text(encoding="utf-8").replace("hold: 5m", "hold: 1s")
    spec.write_text(
        text.replace("compare: stable", "compare: stable, warm_up: 0") + "min_requests: 5\n", encoding="utf-8"
    )
    rolled = play(fleet, "rollout", "-i", str(inventory), "-e", "zdm_spec=%s" % spec, "-e", "zdm_release=v2")
    assert rolled.code == 0, rolled.output
    assert router.share() == 100
    assert "lb1: read back, green has 45" in rolled.output


def test_an_inventory_that_knows_the_hosts_is_made_use_of(fleet: Fleet) -> None:
    fleet.variables["lb0"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    fleet.variables["lb2"] = {**fleet.variables["lb1"], "zdm_router": {"socket": "/nonexistent/s"}}
    fleet.variables = dict(sorted(fleet.variables.items()))
    ended = fleet.play("adopt", "-e", "zdm_routers=routers")
    assert ended.code == 0, ended.output
    said = " ".join(ended.output.split())
    assert "NOT READ lb0: " in said
    assert "NOT READ lb2: HAProxy's runtime socket /nonexistent/s does not exist" in said
    inventory, spec = (
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in pasted(ended.output, fleet.directory)
    )
    groups: dict[str, Any] = inventory["all"]["children"]
    assert list(groups) == ["loadbalancers"], "the hosts of the pools are there already"
    assert spec["pools"] == {
        pool: {"group": "web", "port": member.port, "server": pool} for pool, member in fleet.members.items()
    }
    assert groups["loadbalancers"]["vars"]["zdm_router"] == {
        **fleet.variables["lb1"]["zdm_router"],
        "services": {"web": {"backend": "web"}},
    }


def test_what_cannot_be_described_is_refused(fleet: Fleet) -> None:
    ended = play(fleet, "adopt", "-i", "lb1,", "-e", 'zdm_router=\'{"socket": "/s"}\'')
    assert ended.code == 2
    assert "expected a mapping, such as -e" in " ".join(ended.output.split())
    ended = fleet.play("adopt", "-e", "zdm_routers=loadbalancer")
    assert ended.code == 2
    assert "zdm_routers=loadbalancer is no host of the inventory" in " ".join(ended.output.split())
    ended = fleet.play("adopt", "-e", "zdm_routers=routers", "-e", "zdm_backend=wep")
    assert ended.code == 2
    assert "no router has a backend wep (there are empty, other, web)" in " ".join(ended.output.split())
