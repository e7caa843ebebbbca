# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a hand-written nginx to a rollout on it: one command, its lines pasted, the plan, the rollout by reloads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_lines import FORMAT
from demo.client import Client
from tests.support.nginx import Site
from tests.support.playbook import ROOT, Ended, Playbook
from tests.support.programs import need

BASE = {"all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
LOGGED = "set $zdm_service web; access_log {directory}/zdm.log zdm;"


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(location=LOGGED, http=FORMAT) as running:
        yield running


def play(site: Site, playbook: str, *arguments: str) -> Ended:
    base = site.directory / "base.yml"
    base.write_text(yaml.safe_dump(BASE), encoding="utf-8")
    words = [need("ansible-playbook"), "-i", str(base), "playbooks/%s.yml" % playbook, *arguments]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "TMPDIR": str(site.directory),
        "ZDM_STATE": str(site.directory / "zdm"),
    }
    return Playbook(words, site.directory / "playbook.log", environment).wait()


def pasted(output: str, directory: Path) -> tuple[Path, Path]:
    """The two blocks of lines, as somebody copies them from the terminal."""
    rest = output.partition("# ---- inventory")[2].partition("\n")[2]
    inventory, dummy, rest = rest.partition("# ---- spec")
    spec = rest.partition("\n")[2].partition("\nok: [")[0]
    paths = directory / "zdm.yml", directory / "service.yml"
    for path, text in zip(paths, (inventory, spec), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_described_pasted_planned_and_rolled_out(site: Site) -> None:
    before = site.file.read_text(), site.nginx.workers()
    where = {"type": "nginx", "nginx_conf": str(site.nginx.file), "state": str(site.directory / "state")}
    adopted = play(site, "adopt", "-i", "lb1,", "-e", json.dumps({"zdm_router": where}))
    assert adopted.code == 0, adopted.output
    assert "mode servers fits" in adopted.output
    inventory, spec = pasted(adopted.output, site.directory)
    planned = play(site, "plan", "-i", str(inventory), "-e", "zdm_spec=%s" % spec)
    assert planned.code == 0, planned.output
    said = " ".join(planned.output.split())
    assert "not promised: every change of the split, each step and the way back, is a reload" in said
    assert (site.file.read_text(), site.nginx.workers()) == before, "neither adopt nor plan changes anything"

    text = spec.read_text(encoding="utf-8").replace("hold: 5m", "hold: 1s")
    text = "".join(line for line in text.splitlines(keepends=True) if "weight: 5," not in line and "15," not in line)
    spec.write_text(
        text.replace("compare: stable", "compare: stable, warm_up: 0") + "min_requests: 5\n", encoding="utf-8"
    )
    client = Client(site.nginx.url, rate=150, connections=4, polite=True).start()
    try:
        rolled = play(site, "rollout", "-i", str(inventory), "-e", "zdm_spec=%s" % spec, "-e", "zdm_release=v2")
    finally:
        result = client.stop()
    assert rolled.code == 0, rolled.output
    assert site.weights()["blue-1"] == 0
    assert site.releases(10) == {"v2": 10}
    # Two ports are told apart by their order, and these are any that are free.
    canary = "green" if site.ports["blue-1"] < site.ports["green-1"] else "blue"
    assert "lb1: read back, %s has 45" % canary in rolled.output, rolled.output
    assert min(result.releases.values()) > 20
