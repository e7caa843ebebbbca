# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout that nobody asks for any more: it goes back, or keeps its split where the spec wants that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._rollout import (
    BY_ABANDON,
    HELD,
    REVERTING,
    Abandoned,
    Delayed,
    Foreign,
    Note,
    ReadBack,
    RevertAll,
    Rollout,
)

from .rollouts import (
    OPEN,
    POLICIES,
    ROUTERS,
    STEPS,
    changes,
    promoted,
    raising,
    reverting,
)

GONE = "the play is gone"


@pytest.mark.parametrize("state", ["planned", "locked", "held", "between", "paused"])
def test_an_abandoned_rollout_may_keep_its_split(state: str) -> None:
    talk = OPEN[state]()
    talk.expect(
        Abandoned(GONE, hold=True),
        Note("finished", {"outcome": HELD, "actor": BY_ABANDON, "reason": GONE}),
        state=HELD,
        pause=None,
        actor=BY_ABANDON,
        reason=GONE,
    )


def test_who_has_not_the_steps_split_then_is_named() -> None:
    talk = raising(Rollout(ROUTERS, STEPS, replace(POLICIES, on_foreign_change="pause")))
    talk.hear(ReadBack("p1", 5.0, 0.0), Delayed("p2", "green is slow"))
    talk.hear(Foreign("p1", {"blue": 50.0, "green": 50.0}, False, 2, 0.0), Abandoned(GONE, hold=True))
    assert talk.rollout.unconfirmed == {"p1": "it was not read back with the step's split", "p2": "green is slow"}


@pytest.mark.parametrize("state", OPEN)
def test_an_abandoned_rollout_goes_back_otherwise(state: str) -> None:
    talk = OPEN[state]()
    assert changes(talk.hear(Abandoned(GONE, hold=False))) == [RevertAll(GONE)]
    assert (talk.rollout.state, talk.rollout.actor) == (REVERTING, BY_ABANDON)


@pytest.mark.parametrize("talk", [reverting, promoted], ids=["reverting", "promoted"])
def test_what_is_under_way_comes_to_its_own_end(talk: Any) -> None:
    """A revert is never called off, and a promoted release has nothing on loan any more."""
    talk().expect(Abandoned(GONE, hold=True))
