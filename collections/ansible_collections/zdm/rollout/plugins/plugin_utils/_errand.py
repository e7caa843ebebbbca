# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was sent for: a rollout of a named release, or a verb that finds its release in the past. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ._problem import SpecError
from ._rules import problem

ROLLOUT, UNDO, RETRY = "rollout", "undo", "retry"
VERBS = (ROLLOUT, UNDO, RETRY)


@dataclass(frozen=True)
class Errand:
    """``release`` is what somebody named for it; empty for the one that the verb finds (rollout: the spec's).

    ``again``: a rollout also of the release that serves.
    """

    verb: str = ROLLOUT
    release: str = ""
    again: bool = False

    @property
    def looks_back(self) -> bool:
        """Whether its release is found in what was before."""
        return self.verb != ROLLOUT

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Errand:
        return cls(**data)


A_ROLLOUT = Errand()


def sent(verb: str, release: str, again: bool = False) -> Errand:
    """The errand of these words; SpecError."""
    if verb and verb not in VERBS:
        raise SpecError([problem("value.choice", "zdm_verb", verb, known=", ".join(VERBS))])
    if verb == RETRY and release:
        raise SpecError([problem("retry.release", "zdm_release", release)])
    return Errand(verb or ROLLOUT, release, again)
