# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a spec, an inventory and the routers say: a plan, or one refusal that says what to do, and nothing else.

The way is that of the plan playbook. It is all pure, so a refusal has touched nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils._errand import A_ROLLOUT, Errand
from ansible_collections.zdm.rollout.plugins.plugin_utils._fleet import resolve
from ansible_collections.zdm.rollout.plugins.plugin_utils._freeze import refuse_frozen
from ansible_collections.zdm.rollout.plugins.plugin_utils._live import read_live
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import Plan, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan_text import timeline
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._rules import RULES
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse
from ansible_collections.zdm.rollout.plugins.plugin_utils._undo import Serves

from .anything import ALL_MEMBERS, ERRANDS, SPECS, VALUES, inventories, live, spoiled
from .complete import NOW, inventory, spec_of

#: The same examples every time, on every machine: what fails here fails for whoever looks.
FIXED = settings(derandomize=True, database=None, max_examples=120)
PLANNED = "planned"


def routers() -> dict[str, Any]:
    """What all three routers answer that are as they should be."""
    traffic = {
        "members": ALL_MEMBERS,
        "split": {"blue": 100.0, "green": 0.0},
        "scale": {"per": "server", "top": 256},
        "closes": True,
    }
    return {name: {"traffic": traffic, "record": None, "guard": "resident"} for name in ("p1", "p2", "p3")}


def outcome(document: Any, place: Any, said: Any, errand: Errand = A_ROLLOUT) -> set[str]:
    """The rules that are broken; PLANNED where there is a plan. What a plan says is checked for its sense."""
    try:
        spec = parse(document)
        fleet = resolve(spec, *place)
        made = plan(spec, fleet, read_live(said), errand)
        refuse_frozen(spec.freeze, errand, "", NOW)
    except SpecError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.rule in RULES and problem.key and problem.next_step.strip()
            assert problem.text().isprintable()
        return {problem.rule for problem in error.problems}
    except Serves as serves:
        assert str(serves).isprintable()
        return {"serves"}
    assert {made.stable, made.canary} == set(spec.pools)
    assert made.steps[-1].weight == 100.0
    assert Plan.from_json(json.loads(json.dumps(made.to_json(), allow_nan=False))) == made
    json.dumps([fleet.service_for(name, spec).to_json() for name in fleet.routers])
    assert all(line.isprintable() for line in timeline(made, spec))
    return {PLANNED}


def seen(test: Callable[[Counter[str]], None], *wanted: str) -> None:
    """The control: the examples of a test come to all of these, so they are no noise that stops at the door."""
    counter: Counter[str] = Counter()
    test(counter)
    assert set(wanted) <= set(counter), counter


def test_any_spec() -> None:
    def test(counter: Counter[str]) -> None:
        @FIXED
        @given(spoiled(SPECS) | VALUES)
        def run(document: Any) -> None:
            counter.update(outcome(document, inventory(), routers()))

        run()

    seen(test, PLANNED, "value.mapping", "value.duration", "key.missing", "key.unknown")


def test_any_inventory() -> None:
    def test(counter: Counter[str]) -> None:
        @FIXED
        @given(SPECS, inventories())
        def run(document: Any, place: Any) -> None:
            counter.update(outcome(document, place, routers()))

        run()

    seen(test, PLANNED, "fleet.empty", "fleet.no_router", "fleet.address", "value.server", "value.path")


def test_any_answer_that_keeps_the_contracts() -> None:
    def test(counter: Counter[str]) -> None:
        @FIXED
        @given(SPECS, live(), ERRANDS)
        def run(document: Any, said: Any, errand: Errand) -> None:
            counter.update(outcome(document, inventory(), said, errand))

        run()

    seen(test, PLANNED, "plan.unsettled", "plan.share", "plan.guard", "undo.nothing", "retry.nothing")


def test_any_answer_at_all() -> None:
    def test(counter: Counter[str]) -> None:
        @FIXED
        @given(
            spoiled(st.just(routers()) | live()) | st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), VALUES), ERRANDS
        )
        def run(said: Any, errand: Errand) -> None:
            counter.update(outcome(spec_of("steps"), inventory(), said, errand))

        run()

    seen(test, "plan.answer", "plan.unread")


def test_anything_with_anything() -> None:
    @FIXED
    @given(spoiled(SPECS), inventories(), spoiled(live()), ERRANDS)
    def run(document: Any, place: Any, said: Any, errand: Errand) -> None:
        outcome(document, place, said, errand)

    run()
