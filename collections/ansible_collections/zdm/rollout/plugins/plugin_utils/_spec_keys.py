# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys the spec knows at each place, and which are promised for a later version (contracts, section 1).

Rules of this room: literal tables, nothing else. A key moves from ``not_yet`` to ``known`` with its feature.
"""

from __future__ import annotations

from typing import NamedTuple


class Keys(NamedTuple):
    """The keys of one mapping: those that mean something, and those whose time has not come."""

    known: tuple[str, ...]
    not_yet: tuple[str, ...] = ()


def _keys(known: str, not_yet: str = "") -> Keys:
    return Keys(tuple(known.split()), tuple(not_yet.split()))


SPEC = _keys(
    "version service environment release strategy routers routers_ignore pools initial health steps progression"
    " min_requests checks on_fail on_inconclusive on_no_data no_data_deadline on_error error_deadline"
    " progress_deadline hooks lease guard on_abandon reflex on_foreign_change notify bake approve"
    " rollback_window freeze max_run match preview keep_old_for on_sick_stable park_for on_revert drain_timeout",
    "waves mirror sticky regions finish capacity parity",
)
IGNORED_ROUTER = _keys("router reason")
POOL = _keys("group port server")
HEALTH = _keys("path port expect timeout")
STEP = _keys("weight hold min_hold min_requests checks approve", "match mirror hosts region")
APPROVE = _keys("timeout on_timeout")
ON_TIMEOUT = _keys("rollback promote")
RULE = _keys("header cookie value", "source")
PROGRESSION = _keys("first factor add hold first_hold min_hold")
FREEZE = _keys("from to days zone reason")
DAYS = _keys("mon tue wed thu fri sat sun")
HOOKS = _keys("deploy retire", "before_rollout before_step after_step before_rollback after_rollback after_rollout")
HOOK = _keys("tasks", "point_of_no_return")
REFLEX = _keys("alpha dispersion min_failures")
NOTIFY = _keys("command url on")

#: What every check has, and what only those of one signal have.
CHECK = _keys("signal judge every in_a_row", "query")
#: What a check has that is judged by the sequential judge.
SEQUENTIAL = _keys("margin warm_up alpha weight dispersion")
MARGIN = _keys("ratio points")
CHECK_OF_SIGNAL = {
    "router": ("of", "compare", "min", "max"),
    "metrics": ("compare", "min", "max", "path", "port", "timeout", "requests", "failures", "histogram", "value"),
    "http": ("path", "port", "timeout", "expect", "from"),
}
#: Ways to name what a check reads from a page of metrics: all keys of one of them.
SERIES = (("requests", "failures"), ("histogram",), ("value",))
ANY_CHECK = Keys(
    CHECK.known + SEQUENTIAL.known + tuple(dict.fromkeys(key for keys in CHECK_OF_SIGNAL.values() for key in keys)),
    CHECK.not_yet,
)

STRATEGIES = _keys("canary progressive blue_green", "waves")
#: Keys of the spec that only strategies other than this one have.
OF_OTHER_STRATEGIES = {
    "canary": ("bake", "approve"),
    "progressive": ("steps", "bake", "approve"),
    "blue_green": ("steps", "progression"),
}
VALUES = _keys("errors latency")
BASELINES = _keys("stable")
SIGNALS = _keys("router metrics http", "prometheus logs command")
JUDGES = _keys("sequential threshold")
POLICIES = _keys("rollback pause")
GUARDS = _keys("session resident none")
ON_ABANDON = _keys("rollback hold")
ON_SICK_STABLE = _keys("pause leave")
ON_REVERT = _keys("keep close")
ON_FOREIGN_CHANGE = _keys("rollback pause")
REFLEX_WORDS = _keys("enabled disabled")
EVENTS = _keys("promoted rolled_back stuck held paused refused reverted")
PROBE_FROM = _keys("router controller")

#: ``zdm_router`` of the inventory: what every router has, and what only those of one type and mode have.
ROUTER = _keys("type mode state services")
ROUTER_OF = {
    ("envoy", "managed"): ("admin", "config"),
    ("haproxy", "servers"): ("socket", "log"),
    ("haproxy", "managed"): ("config", "master", "socket", "binary"),
    ("nginx", "managed"): ("config", "logs", "binary", "nginx_conf", "prefix", "pid_file"),
    ("nginx", "servers"): ("binary", "nginx_conf", "prefix", "pid_file", "log"),
}
ANY_ROUTER = Keys(ROUTER.known + tuple(dict.fromkeys(key for keys in ROUTER_OF.values() for key in keys)))
ROUTER_PATHS = ("admin", "config", "logs", "master", "nginx_conf", "pid_file", "prefix", "socket", "state")
ROUTER_LOG = _keys("ring file udp")
ROUTER_TYPES = _keys("envoy haproxy nginx", "alb gcp route53")
ROUTER_MODES = {"envoy": _keys("managed"), "haproxy": _keys("servers managed"), "nginx": _keys("servers managed")}
ROUTER_SERVICE = {
    ("envoy", "managed"): _keys("listen domains"),
    ("haproxy", "servers"): _keys("backend"),
    ("haproxy", "managed"): _keys("listen domains tls timeouts log"),
    ("nginx", "servers"): _keys("upstream file"),
    ("nginx", "managed"): _keys("listen domains tls timeouts log sticky retry_non_idempotent"),
}
