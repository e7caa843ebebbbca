# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that Envoy reads: what must be in them, and that the same content is the same version."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _envoy_documents as documents
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Health, Member, Service

BLUE, GREEN = Member("w1-blue", "10.0.0.1", 8081), Member("w1-green", "10.0.0.1", 8082)
WEB = Service("web", "production", {"blue": (BLUE,), "green": (GREEN,)}, Health("/health"))


def split_of(green: float) -> dict[str, float]:
    return {"blue": 100.0 - green, "green": green}


@given(st.floats(0, 100))
def test_weights_sum_to_the_scale_and_follow_the_split(green: float) -> None:
    weights = documents.weights(WEB, split_of(green))
    assert sum(weights.values()) == 10000
    assert abs(weights["web-green"] - 100 * green) <= 1
    assert (weights["web-green"] == 0) == (green == 0)


def test_a_pool_that_the_split_does_not_name_gets_nothing() -> None:
    assert documents.weights(WEB, {"green": 100.0}) == {"web-blue": 0, "web-green": 10000}


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"blue": 90.0, "red": 10.0}, "the split names pool 'red': service web has blue and green"),
        ({"blue": 90.0, "green": 5.0}, "sums to 95: expected 100"),
        ({"blue": 110.0, "green": -10.0}, "expected 0 to 100 percent"),
    ],
)
def test_what_is_no_split_is_refused(split: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        documents.weights(WEB, split)


def test_routes_can_be_read_back_and_hold_what_protects() -> None:
    weights = {"web-blue": 9500, "web-green": 500}
    routes = documents.routes(WEB, weights)
    assert documents.split_weights(routes) == weights
    assert routes["validate_clusters"] is True
    text = json.dumps(routes)
    assert "total_weight" not in text
    assert "retry_on" not in text, "a policy without it retries nothing"


def test_a_cluster_keeps_traffic_from_the_sick_and_does_not_eject_by_itself() -> None:
    cluster = documents.cluster(WEB, "blue", "/etc/zdm/envoy/eds")
    assert cluster["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}
    assert cluster["ignore_health_on_host_removal"] is True
    assert "outlier_detection" not in cluster
    assert documents.owner(cluster) == ("web", "blue")
    assert documents.owner({"name": "theirs"}) == ("", "")


@pytest.mark.parametrize(("expect", "statuses"), [(None, (200, 300)), (204, (204, 205))])
def test_a_health_check_expects_what_the_service_says(expect: int | None, statuses: tuple[int, int]) -> None:
    service = Service("web", "production", WEB.pools, Health("/up", expect=expect, timeout=0.3))
    (check,) = documents.cluster(service, "blue", "/eds")["health_checks"]
    (expected,) = check["http_health_check"]["expected_statuses"]
    assert (expected["start"], expected["end"]) == statuses
    assert (check["http_health_check"]["path"], check["timeout"]) == ("/up", "0.3s")


def test_without_health_envoy_checks_nothing() -> None:
    service = Service("web", "production", WEB.pools)
    assert "health_checks" not in documents.cluster(service, "blue", "/eds")
    assert "health_check_config" not in json.dumps(documents.endpoints(service, "blue"))


def test_a_health_port_of_its_own_is_asked() -> None:
    service = Service("web", "production", WEB.pools, Health("/health", port=9000))
    (endpoint,) = documents.endpoints(service, "blue")["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["health_check_config"] == {"hostname": "10.0.0.1:9000", "port_value": 9000}
    assert endpoint["endpoint"]["address"]["socket_address"]["port_value"] == 8081


@given(st.floats(0, 100), st.floats(0, 100))
def test_the_version_is_the_content(one: float, other: float) -> None:
    first, second = (documents.weights(WEB, split_of(green)) for green in (one, other))
    versions = [documents.version(documents.document([documents.routes(WEB, weights)])) for weights in (first, second)]
    assert (versions[0] == versions[1]) == (first == second)


def test_the_order_of_keys_is_no_content() -> None:
    assert documents.document([{"a": 1, "b": 2}]) == documents.document([{"b": 2, "a": 1}])


def test_clusters_of_others_stay_where_they_are() -> None:
    present: list[dict[str, Any]] = [{"name": "api-blue", "x": 1}, {"name": "web-blue", "x": 1}, {"name": "theirs"}]
    added = [{"name": "web-blue", "x": 2}, {"name": "web-green", "x": 2}]
    assert documents.with_clusters(present, added) == [present[0], added[0], present[2], added[1]]


@pytest.mark.parametrize(
    "text", ["", "{ broken", "[]", "null", '{"resources": []}', '{"version_info": 1, "resources": []}',
             '{"version_info": "a", "resources": {}}', '{"version_info": "a", "resources": ["b"]}']
)  # fmt: skip
def test_what_is_no_document_has_no_version(text: str) -> None:
    assert documents.parse(text) is None
    assert documents.version(text) is None
