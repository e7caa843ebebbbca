# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a spec, an inventory and the routers' answers can be: strategies for hypothesis.

What is arbitrary is mostly arbitrary in a few places of something that is in order: pure noise is refused at the door.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._errand import VERBS, Errand

from .complete import PARTS, inventory, spec_of
from .mutations import places

WORDS = sorted({word for keys in vars(_spec_keys).values() if isinstance(keys, _spec_keys.Keys) for word in keys.known})
ODD = [
    0,
    1,
    -1,
    100,
    256,
    10**400,
    1e308,
    "",
    " ",
    "0",
    "5m",
    "/x",
    "{host}",
    "blue",
    "web",
    "proxies",
    "p1",
    "w1",
    "x" * 300,
]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from([*WORDS, *ODD])
)
NAMES = st.sampled_from(WORDS) | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)

POOLS = st.sampled_from(["blue", "blue", "green", "green", "red", ""])
SPLITS = st.dictionaries(POOLS, st.sampled_from([0, 100, 5, 95.0, 99.996, 1e-9]) | st.floats(0, 100), max_size=3)
MEMBERS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["w1-blue", "w1-green", "w2-blue", "w2-green", "other", ""]),
            "pool": POOLS,
            "health": st.sampled_from(["up", "down", "unchecked", "new"]),
            "weight": st.sampled_from([0, 1, 256, 10**9]) | st.integers(0, 300),
        },
        optional={"base": st.sampled_from([0, 1, 100, 10**9])},
    ),
    max_size=6,
)
#: Those that the complete specs have, in order.
ALL_MEMBERS = [
    {"name": f"{host}-{pool}", "pool": pool, "health": "up", "weight": weight, "base": 1}
    for host in ("w1", "w2")
    for pool, weight in (("blue", 128), ("green", 0))
]
SCALES = st.sampled_from(
    [("server", 256), ("pool", 10000), ("server", 256), ("pool", 10000), ("server", 1), ("pool", 3)]
)
RELEASES = st.sampled_from(["2.3.0", "2.4.0", "before 2.3.0", "", "x"])
ENDED = st.fixed_dictionaries(
    {
        "run": st.sampled_from(["r1", "r2", "r3"]),
        "release": RELEASES,
        "stable": POOLS,
        "canary": POOLS,
        "outcome": st.sampled_from(["promoted", "promoted", "rolled_back", "new"]),
        "since": st.sampled_from(["2026-01-01", "2026-01-02", ""]),
    }
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["idle", "leased", "armed", "reverted", "held", "stuck", "new"]),
        "stable": st.none() | POOLS,
        "locked": st.sampled_from([None, None, None, {}, {"by": "me", "at": "now", "reason": None}]),
        "rollouts": st.lists(ENDED, max_size=5),
    },
)
RATE = st.fixed_dictionaries({"requests": st.floats(0, 1e6), "failures": st.floats(0, 1e6)})


@st.composite
def answers(draw: st.DrawFn, serving: str) -> dict[str, Any]:
    """What a router may answer, as the contracts say; where a pool is ``serving`` that one has all traffic."""
    members: list[dict[str, Any]] = copy.deepcopy(draw(st.just(ALL_MEMBERS) | MEMBERS))
    split = draw(SPLITS)
    if serving:
        split = {pool: 100.0 * (pool == serving) for pool in ("blue", "green")}
        for member in members:
            member["weight"] *= member["pool"] == serving
    per, top = draw(SCALES)
    traffic = {
        "members": members,
        "split": split,
        "scale": {"per": per, "top": top},
        "held": bool(serving) or draw(st.booleans()),
    }
    traffic["durable"] = draw(st.sampled_from(["yes", "no", "with_state_file", "new"]))
    found: dict[str, Any] = {"traffic": traffic, "record": draw(st.none() | RECORDS)}
    found["guard"] = draw(st.sampled_from(["resident", "resident", "resident", "session", "none"]))
    found["rate"] = draw(st.none() | st.dictionaries(POOLS, RATE, max_size=3))
    return found


@st.composite
def live(draw: st.DrawFn) -> dict[str, Any]:
    serving = draw(st.sampled_from(["blue", "green", "blue", "green", ""]))
    return {name: draw(answers(serving)) for name in ("p1", "p2", "p3")}


HOSTS = ["p1", "p2", "w1", "w2", "w3", "a b", "größe", "{host}", "w1;x", "x" * 70, "1", ""]
ROUTERS = st.fixed_dictionaries(
    {"type": st.sampled_from(["envoy", "haproxy", "nginx", 1]), "mode": st.sampled_from(["managed", "servers", None])},
    optional={
        "services": VALUES | st.dictionaries(st.sampled_from(["web", "x"]), VALUES, max_size=2),
        "log": VALUES | st.just({"ring": "lb"}),
        **dict.fromkeys(_spec_keys.ROUTER_PATHS, VALUES),
    },
)
VARIABLES = st.fixed_dictionaries(
    {}, optional={"zdm_router": ROUTERS | VALUES, "zdm_address": VALUES, "ansible_host": VALUES}
)


@st.composite
def inventories(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Groups of hosts, and the hosts' variables, as Ansible has them: of any type."""
    groups, variables = inventory()
    for name in draw(st.lists(st.sampled_from(["proxies", "web"]), max_size=2)):
        groups[name] = draw(st.lists(st.sampled_from(HOSTS), max_size=4))
    for name in draw(st.lists(st.sampled_from(HOSTS), max_size=3)):
        variables[name] = draw(VARIABLES)
    return groups, variables


SPECS = st.sampled_from(list(PARTS)).map(spec_of)
ERRANDS = st.builds(Errand, st.sampled_from(VERBS), st.sampled_from(["", "2.3.0", "other"]), st.booleans())


@st.composite
def spoiled(draw: st.DrawFn, good: st.SearchStrategy[Any]) -> Any:
    """Something good with some of its places deleted, or anything in them."""
    document = copy.deepcopy(draw(good))
    for dummy in range(draw(st.integers(1, 3))):
        there = list(places(document))
        if there:
            at = draw(st.sampled_from(there))
            place = document
            for key in at[:-1]:
                place = place[key]
            if draw(st.integers(0, 3)):
                place[at[-1]] = draw(VALUES)
            else:
                del place[at[-1]]
    return document
