# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make demo`` on each router: what it promises, by what its own client saw."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from demo.log import Result
from tests.support.playbook import ROOT
from tests.support.programs import need

PROGRAMS = {"envoy": ["envoy"], "haproxy": ["haproxy"], "nginx": ["nginx"]}


# One after the other: each is alone with its client on the worker.
@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("router", PROGRAMS)
def test_a_good_release_goes_all_the_way_and_a_bad_one_is_turned_back(router: str, tmp_path: Path) -> None:
    for program in PROGRAMS[router]:
        need(program)
    command = [sys.executable, "-m", "demo", "--router", router, "--build", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False, timeout=360)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))

    good = summary["good"]
    assert (good["outcome"], good["failed"]) == ("promoted", 0)
    assert [step["weight"] for step in good["steps"]] == [5, 25, 50, 100]
    # A step of 4 to 6 seconds sees some 1,600 to 2,400 requests: 4 standard deviations of a random split.
    assert [step["seen"] for step in good["steps"]] == [
        pytest.approx(weight, abs=400 * (weight * (100 - weight) / 10000 / 1000) ** 0.5 + 0.5)
        for weight in (5, 25, 50, 100)
    ]

    (bad,) = summary["bad"]
    assert bad["outcome"] == "rolled_back"
    # At 5 % it has some 20 requests a second, of which 4 are bad: the last one may come before the order.
    assert 0 < bad["found_s"] <= 10
    assert bad["reverted_s"] <= bad["found_s"] + 1
    assert bad["failed"] == bad["leaked"], "only the bad release's own answers may fail"

    log = Result.load(str(tmp_path / "client-v3-bad.jsonl"))
    assert bad["requests"] == log.requests
    assert bad["failed"] == log.failed
    assert log.of("v3-bad").requests > bad["leaked"], (
        "it answered most of its requests well: health alone finds nothing"
    )
    assert "promoted" in ended.stdout
    assert "rolled_back" in ended.stdout
