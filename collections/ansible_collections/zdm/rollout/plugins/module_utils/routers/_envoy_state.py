# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running Envoy's answers mean for a service: health, split, counters.

Rules of this room: pure functions over Envoy's JSON; no I/O.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import _envoy_documents as documents
from .api import DOWN, UNCHECKED, UP, Bin, Counters, MemberState, Service, Traffic

Hosts = Mapping[str, Sequence[Mapping[str, Any]]]

#: Flags in a host's health of which any keeps traffic away from it.
SICK_FLAGS = ("failed_active_health_check", "failed_outlier_check", "pending_active_hc", "pending_dynamic_removal")

PROMISES = (
    "the split is random for each request: of 1,000 requests a share of 5 % gets 36 to 64 (19 times of 20)",
    "requests that find no healthy member in their pool are answered 503 by Envoy itself and count at no member",
)


def traffic(
    service: Service,
    weights: Mapping[str, int],
    clusters: Mapping[str, Mapping[str, Any]],
    hosts: Hosts,
    rules: Optional[Mapping[str, str]] = None,
    warnings: Tuple[str, ...] = (),
) -> Traffic:
    """The traffic of ``service`` from its routes' weights and rules, its clusters' configuration and their hosts.

    A cluster that the routes split to and that is no pool's keeps its own name in the split.
    """
    pool_of = {documents.cluster_name(service.name, pool): pool for pool in service.pools}
    members: List[MemberState] = []
    for cluster, pool in pool_of.items():
        checked = bool(clusters.get(cluster, {}).get("health_checks"))
        for host in hosts.get(cluster, ()):
            health, busy = _health(host.get("health_status", {}), checked), _stats(host).get("rq_active", 0)
            name = host_name(service, pool, host)
            members.append(MemberState(name, pool, health, weights.get(cluster, 0), sessions=busy))
    shares = {pool: weights.get(cluster, 0) for cluster, pool in pool_of.items()}
    shares.update({cluster: weight for cluster, weight in weights.items() if cluster not in pool_of and weight})
    total = sum(shares.values())
    return Traffic(
        members=tuple(members),
        split={pool: 100.0 * weight / total if total else 0.0 for pool, weight in shares.items()},
        scale=documents.SCALE,
        held=total > 0,
        durable="yes",
        promises=PROMISES,
        warnings=warnings,
        rules=dict(rules or {}),
    )


def _health(status: Mapping[str, Any], checked: bool) -> str:
    if any(status.get(flag) for flag in SICK_FLAGS) or status.get("eds_health_status", "HEALTHY") != "HEALTHY":
        return DOWN
    return UP if checked else UNCHECKED


def host_name(service: Service, pool: str, host: Mapping[str, Any]) -> str:
    """A host's name at the proxy: its own, that of the member at its address, or its address."""
    if host.get("hostname"):
        return str(host["hostname"])
    address = host.get("address", {}).get("socket_address", {})
    endpoint = "%s:%s" % (address.get("address"), address.get("port_value"))
    return next((member.name for member in service.pools[pool] if member.endpoint == endpoint), endpoint)


def counters(service: Service, hosts: Hosts) -> Dict[str, Counters]:
    """Counters of each member by its name."""
    found: Dict[str, Counters] = {}
    for pool in service.pools:
        for host in hosts.get(documents.cluster_name(service.name, pool), ()):
            found[host_name(service, pool, host)] = _counted(_stats(host))
    return found


def _stats(host: Mapping[str, Any]) -> Dict[str, int]:
    return {stat["name"]: int(stat.get("value", 0)) for stat in host.get("stats", ())}


def _counted(stats: Mapping[str, int]) -> Counters:
    """Tries that have ended. ``rq_error`` holds every failed one: 5xx answers, resets, time-outs, and connections
    that were refused or timed out, which ``rq_total`` does not hold; so tries are ``rq_success + rq_error``.
    ``rq_timeout`` and ``cx_connect_fail`` are parts of it; the latter counts connections, of which one may
    fail several tries. Health checks count in none of them.
    """
    failures = stats.get("rq_error", 0)
    timeouts = stats.get("rq_timeout", 0)
    return Counters(
        requests=stats.get("rq_success", 0) + failures,
        failures=failures,
        kinds={"timeout": timeouts, "connect": min(stats.get("cx_connect_fail", 0), max(0, failures - timeouts))},
    )


def time_names(service: Service) -> Dict[str, str]:
    """The histograms of the pools' tries, which take milliseconds: name -> pool."""
    return {"cluster.%s.upstream_rq_time" % documents.cluster_name(service.name, pool): pool for pool in service.pools}


def times(service: Service, histograms: Mapping[str, Sequence[Mapping[str, Any]]]) -> Dict[str, List[Bin]]:
    """How long the pools' tries took. A time is cut to whole milliseconds, and so are the bins."""
    found: Dict[str, List[Bin]] = {pool: [] for pool in service.pools}
    for name, pool in time_names(service).items():
        for one in histograms.get(name, ()):
            low = float(one["lower_bound"])
            found[pool].append((low / 1e3, (low + max(1.0, float(one["width"]))) / 1e3, int(one["count"])))
    return found
