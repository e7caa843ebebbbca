# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to be refused before anything is touched: one file a case in corpus/, laid over example.yml.

A case is ``change`` and ``without`` (dotted paths in the example) or the spec's whole ``text``; ``missing`` is a Python
package that the controller does not have; ``verb`` and ``release`` are what it was sent for, ``records`` what the
routers recorded, ``answers`` what else a router says, ``down`` a pool without a
healthy member at a router, ``now`` the time; ``refused`` is the one problem that must come of it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.plugin_utils import _document
from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError, shown
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import read_request
from ansible_collections.zdm.rollout.plugins.plugin_utils._retire import retired
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES
from ansible_collections.zdm.rollout.plugins.plugin_utils.signals import metrics

from .example import HERE, example, live_of

#: A verb that plans nothing.
FINISH = "finish"

CASES: dict[str, dict[str, Any]] = {
    path.stem: _document.load(path.read_bytes(), path.name) for path in sorted((HERE / "corpus").glob("*.yml"))
}


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a case's file is written; its name in messages is as short as here."""
    monkeypatch.chdir(tmp_path)


def planned(case: dict[str, Any]) -> None:
    """From the file to the plan, as the plan playbook goes."""
    varied = example(case.get("change"), tuple(case.get("without", ())))
    path = Path("web.yml")
    if "spec" in varied:
        path.write_text(case.get("text") or yaml.safe_dump(varied["spec"]), encoding="utf-8")
    verb = case.get("verb", "rollout")
    finishes, now = verb == FINISH, datetime.fromisoformat(case.get("now", "2026-01-01T00:00:00+00:00"))
    words = case.get("release", ""), varied["groups"], varied["hostvars"], "rollout" if finishes else verb
    request = read_request(str(path), *words)
    if "now" in case and not finishes:
        refuse_frozen(request.spec.freeze, request.errand, "", now)
    live = live_of(varied["live"], request.fleet, case.get("down"))
    records = case.get("records", {})
    said = {
        name: {"traffic": found.traffic.to_json(), "record": records.get(name), **case.get("answers", {}).get(name, {})}
        for name, found in live.items()
    }
    if finishes:
        retired(request.spec, request.fleet, read_live(said), now)
    else:
        plan(request.spec, request.fleet, read_live(said), request.errand)


def test_the_example_itself_is_planned() -> None:
    planned({})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_case_is_refused_for_its_one_reason(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MISSING", case.get("missing", ""))
    with pytest.raises(SpecError) as refusal:
        planned(case)
    assert [problem.rule for problem in refusal.value.problems] == [case["refused"]["rule"]]
    problem = refusal.value.problems[0]
    assert problem.key == case["refused"]["key"]
    assert case["refused"]["value"] in shown(problem.value)
    assert case["refused"]["expected"] in problem.expected
    assert case["refused"]["next_step"] in problem.next_step
    assert (
        str(refusal.value) == f"{problem.key}: {shown(problem.value)}, expected {problem.expected}; {problem.next_step}"
    )
    assert "\n" not in str(refusal.value)


SECRET = "T0PSECRET"


def test_no_message_has_a_secret_of_a_notification() -> None:
    """Neither shown nor in the problem itself, which somebody may print."""
    cases = {name: case for name, case in CASES.items() if SECRET in str(case)}
    assert len(cases) >= 8
    for name, case in cases.items():
        with pytest.raises(SpecError) as refusal:
            planned(case)
        assert SECRET not in str(refusal.value), name
        assert SECRET not in repr(refusal.value.problems), name


def test_a_text_elsewhere_is_shown_as_the_control() -> None:
    with pytest.raises(SpecError, match=SECRET):
        planned({"change": {"spec.strategy": SECRET}})


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert {case["refused"]["rule"] for case in CASES.values()} == set(RULES)


def test_a_case_is_filed_under_its_rule() -> None:
    assert {name for name, case in CASES.items() if name.split("-")[0] != case["refused"]["rule"]} == set()
