# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that Envoy reads: what a service is at Envoy, as JSON.

Rules of this room: pure functions from a service to text; no I/O, nothing of a running Envoy.

    cds/cds.json               the clusters of all services, one per pool: <service>-<pool>
    eds/<service>-<pool>.json  the members of one pool; Envoy takes exactly one resource a file
    rds/<service>.json         the routes of one service, and with them the split; one resource a file too

The version of a document is made of what it says: same content, same version, so whoever reads the version
that is in force knows the content.
"""

from __future__ import annotations

import json
import re
from binascii import crc32
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import _split
from .api import Health, Member, Scale, Service
from .rules import COOKIE, MATCH, PREVIEW, Rule

SCALE = Scale(per="pool", top=10000)

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"

#: Name of the route that splits, within a service's routes; those of rules have their set's, and come before it.
SPLIT = "split"
SETS = (PREVIEW, MATCH)

#: A member that says nothing for so long has failed. By Envoy's own default an answer has to be whole by then, which no
#: download keeps.
PATIENCE = {"timeout": "0s", "retry_policy": {"per_try_idle_timeout": "15s"}}

#: Key of a cluster's metadata that says whose it is: {"service": name, "pool": name}.
OWNER = "zdm"

Resource = Mapping[str, Any]
Weights = Mapping[str, int]


def cluster_name(service: str, pool: str) -> str:
    return "%s-%s" % (service, pool)


def weights(service: Service, split: Mapping[str, float]) -> Dict[str, int]:
    """The weight of each cluster; a pool that ``split`` does not name gets 0. ValueError where it is no split."""
    unknown = sorted(set(split) - set(service.pools))
    if unknown:
        raise ValueError(
            "the split names pool %r: service %s has %s"
            % (unknown[0], service.name, " and ".join(sorted(service.pools)))
        )
    _split.check(split)
    by_pool = _split.parts({pool: split.get(pool, 0.0) for pool in service.pools}, SCALE.top)
    return {cluster_name(service.name, pool): by_pool[pool] for pool in sorted(by_pool)}


def document(resources: Sequence[Resource]) -> str:
    """The text of a file with ``resources``, its version made of them: of two sums, forwards and backwards.

    Whoever could forge them may write the file anyway. A digest would bring OpenSSL, a fifth of what a guard is.
    """
    content = json.dumps(resources, sort_keys=True, separators=(",", ":")).encode()
    return as_text("zdm-%08x%08x" % (crc32(content), crc32(content[::-1])), resources)


def as_text(claimed: str, resources: Sequence[Resource]) -> str:
    """The text of a file with a version of the caller's choice."""
    return json.dumps({"version_info": claimed, "resources": list(resources)}, indent=2, sort_keys=True) + "\n"


def parse(text: str) -> Optional[Tuple[str, List[Dict[str, Any]]]]:
    """Version and resources of a file's text; None for text that is no such document."""
    try:
        found = json.loads(text)
        claimed, resources = found["version_info"], found["resources"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(claimed, str) or not isinstance(resources, list):
        return None
    if not all(isinstance(resource, dict) for resource in resources):
        return None
    return claimed, resources


def version(text: str) -> Optional[str]:
    """The version that a file's text claims; None for text that is no such document."""
    parsed = parse(text)
    return parsed[0] if parsed else None


def routes(service: Service, clusters: Weights, targets: Optional[Mapping[str, str]] = None) -> Dict[str, Any]:
    """The routes of a service with the given weights, which are the split, and the pools that its rules lead to.

    No retries, which would hide failures: a policy without ``retry_on`` retries nothing.
    """
    split = [{"name": name, "weight": weight} for name, weight in sorted(clusters.items())]
    ruled = [
        _ruled(name, rule, cluster_name(service.name, targets[name]))
        for name in SETS
        if targets and name in targets
        for rule in service.rules[name]
    ]
    return {
        "@type": ROUTES,
        "name": service.name,
        "validate_clusters": True,
        "virtual_hosts": [
            {
                "name": service.name,
                "domains": list(service.options.get("domains") or ["*"]),
                "routes": [
                    *ruled,
                    {
                        "name": SPLIT,
                        "match": {"prefix": "/"},
                        "route": {"weighted_clusters": {"clusters": split}, **PATIENCE},
                    },
                ],
            }
        ],
    }


def _ruled(name: str, rule: Rule, cluster: str) -> Dict[str, Any]:
    """The route of one rule. Envoy knows no cookies: theirs is a pattern over the header that carries them."""
    if rule.kind == COOKIE:
        pair = re.escape("%s=%s" % (rule.name, rule.value))
        header = {"name": "cookie", "string_match": {"safe_regex": {"regex": "(.*; ?)?%s(;.*)?" % pair}}}
    else:
        header = {"name": rule.name.lower(), "string_match": {"exact": rule.value}}
    return {"name": name, "match": {"prefix": "/", "headers": [header]}, "route": {"cluster": cluster, **PATIENCE}}


def endpoints(service: Service, pool: str) -> Dict[str, Any]:
    """The members of a pool. Their names at the proxy are the endpoints' host names."""
    return {
        "@type": ENDPOINTS,
        "cluster_name": cluster_name(service.name, pool),
        "endpoints": [{"lb_endpoints": [_endpoint(member, service.health) for member in service.pools[pool]]}],
    }


def _endpoint(member: Member, health: Optional[Health]) -> Dict[str, Any]:
    address = {"socket_address": {"address": member.address, "port_value": member.port}}
    endpoint: Dict[str, Any] = {"hostname": member.name, "address": address}
    if health:
        port = health.port or member.port
        endpoint["health_check_config"] = {"hostname": "%s:%d" % (member.address, port), "port_value": port}
    return {"endpoint": endpoint}


def cluster(service: Service, pool: str, directory: str) -> Dict[str, Any]:
    """The cluster of a pool whose members are read from ``directory``.

    A member that is not well gets no traffic (panic threshold 0) and leaves at once when it is removed; changes
    act at once (no merge window). No outlier detection: it would change the split behind the rollout's back.
    """
    name = cluster_name(service.name, pool)
    source = {"path": "%s/%s.json" % (directory, name), "watched_directory": {"path": directory}}
    result: Dict[str, Any] = {
        "@type": CLUSTER,
        "name": name,
        "metadata": {"filter_metadata": {OWNER: {"service": service.name, "pool": pool}}},
        "type": "EDS",
        "connect_timeout": "0.25s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"},
        "ignore_health_on_host_removal": True,
        "eds_cluster_config": {"eds_config": {"resource_api_version": "V3", "path_config_source": source}},
    }
    if service.health:
        result["health_checks"] = [_health_check(service.health)]
    return result


def _health_check(health: Health) -> Dict[str, Any]:
    statuses = (health.expect, health.expect + 1) if health.expect else (200, 300)
    return {
        "timeout": "%gs" % health.timeout,
        "interval": "0.5s",
        "no_traffic_interval": "0.5s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {
            "path": health.path,
            "expected_statuses": [{"start": statuses[0], "end": statuses[1]}],
        },
    }


def owner(resource: Resource) -> Tuple[str, str]:
    """Service and pool of a cluster; two empty texts for one that zdm did not write."""
    mine = (resource.get("metadata") or {}).get("filter_metadata", {}).get(OWNER) or {}
    return str(mine.get("service", "")), str(mine.get("pool", ""))


def with_clusters(present: Sequence[Resource], added: Sequence[Resource]) -> List[Resource]:
    """``present`` with those of ``added`` in the place of their namesakes, or at the end."""
    new = {resource["name"]: resource for resource in added}
    kept = [new.pop(resource["name"], resource) for resource in present]
    return kept + list(new.values())


def split_weights(resource: Resource) -> Dict[str, int]:
    """The weights in a service's routes; empty where they hold no route that splits."""
    for host in resource.get("virtual_hosts", ()):
        for route in host.get("routes", ()):
            if route.get("name") == SPLIT:
                listed = route.get("route", {}).get("weighted_clusters", {}).get("clusters", ())
                return {part["name"]: int(part.get("weight", 0)) for part in listed}
    return {}


def rule_targets(service: Service, resource: Resource) -> Dict[str, str]:
    """The pool that each set of rules leads to in a service's routes; a cluster that is no pool's as its own name."""
    pool_of = {cluster_name(service.name, pool): pool for pool in service.pools}
    found = {}
    for host in resource.get("virtual_hosts", ()):
        for route in host.get("routes", ()):
            if route.get("name") in SETS:
                cluster = str(route.get("route", {}).get("cluster", ""))
                found[str(route["name"])] = pool_of.get(cluster, cluster)
    return found
