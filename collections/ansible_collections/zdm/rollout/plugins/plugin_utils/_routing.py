# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``match`` and ``preview``: whose requests go to a pool whatever the shares are (contracts, section 1).

Rules of this room: the reading of both. Which pool they lead to, and when, is ``module_utils/routers/rules.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..module_utils.routers.rules import COOKIE, HEADER, MATCH, PREVIEW, Rule
from . import _spec_keys
from ._kinds import COOKIE_NAME, COOKIE_VALUE, HEADER_NAME, HEADER_VALUE
from ._reader import Reader
from ._rules import problem

_KINDS = {HEADER: (HEADER_NAME, HEADER_VALUE), COOKIE: (COOKIE_NAME, COOKIE_VALUE)}


def read_rules(top: Reader) -> dict[str, tuple[Rule, ...]]:
    """The sets of rules that were written, by name; none of them is empty."""
    found = {}
    for name in (MATCH, PREVIEW):
        rules = tuple(_rules(top, name))
        if rules:
            found[name] = rules
        elif top.raw(name) == []:
            top.note("rule.none", name, [])
    return found


def _rules(top: Reader, name: str) -> Iterator[Rule]:
    for written in top.mappings(name, _spec_keys.RULE):
        kinds = [kind for kind in _KINDS if written.has(kind)]
        if len(kinds) != 1:
            written.problems.append(problem("rule.way", written.path, dict.fromkeys(written.keys())))
            continue
        kind = kinds[0]
        named, valued = _KINDS[kind]
        header = written.required(kind, named, None)
        value = written.required("value", valued, None)
        if header is not None and value is not None:
            yield Rule(kind, header, value)
