# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of metrics as the vendor's own client writes them, in both formats, and pages that are none."""

from __future__ import annotations

from math import inf

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from ansible_collections.zdm.rollout.plugins.plugin_utils._selector import parse
from ansible_collections.zdm.rollout.plugins.plugin_utils.signals.metrics import Page, Unreadable, measure


def registry() -> CollectorRegistry:
    """What a member might count: 90 requests well, 10 not, and others of another job."""
    made = CollectorRegistry()
    requests = Counter("http_requests", "Requests.", ["job", "code"], registry=made)
    for job, code, count in (("web", "200", 90), ("web", "500", 7), ("web", "503", 3), ("other", "500", 50)):
        requests.labels(job, code).inc(count)
    Counter("http_requests_total_of_another_name", "A name that begins alike.", registry=made).inc(1000)
    taken = Histogram("http_seconds", "How long.", ["code"], buckets=(0.1, 0.5), registry=made)
    for code, seconds in (("200", 0.05), ("200", 0.3), ("200", 3.0), ("500", 0.05)):
        taken.labels(code).observe(seconds, {"trace_id": "a # {b"})
    depth = Gauge("queue_depth", "How much waits.", ["queue"], registry=made)
    for queue, count in (("mail", 3), ("print", 4)):
        depth.labels(queue).set(count)
    Gauge("broken", "Not a number.", registry=made).set(float("nan"))
    return made


PAGES = {
    "text": Page(generate_latest(registry()).decode()),
    "openmetrics": Page(openmetrics.generate_latest(registry()).decode()),  # type: ignore[no-untyped-call]
}
EACH = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


@EACH
def test_counters_are_summed_over_what_the_selectors_find(page: Page) -> None:
    totals = page.totals(parse('http_requests_total{job="web"}'), parse('http_requests_total{job="web",code=~"5.."}'))
    assert totals == {"requests": 100, "failures": 10}


@EACH
def test_a_failure_that_never_was_is_not_there_yet(page: Page) -> None:
    """A client makes a series with its first value."""
    assert page.totals(parse("http_requests_total"), parse('http_requests_total{code="504"}'))["failures"] == 0
    with pytest.raises(Unreadable, match=r'requests_total\{code="504"\} is not on the page'):
        page.totals(parse('http_requests_total{code="504"}'), parse("http_requests_total"))


@EACH
def test_a_histogram_of_all_labels_or_of_some(page: Page) -> None:
    assert page.histogram(parse("http_seconds")).bins == {(0.0, 0.1): 2, (0.1, 0.5): 1, (0.5, inf): 1}
    assert page.histogram(parse('http_seconds{code="500"}')).bins == {(0.0, 0.1): 1, (0.1, 0.5): 0, (0.5, inf): 0}
    with pytest.raises(Unreadable, match="nothing_bucket is not on the page"):
        page.histogram(parse("nothing"))


@EACH
def test_a_value(page: Page) -> None:
    assert page.value(parse("queue_depth")) == 7
    assert page.value(parse('queue_depth{queue="mail"}')) == 3
    for selector, why in (("queue", "is not on the page"), ("broken", "is not a number")):
        with pytest.raises(Unreadable, match=why):
            page.value(parse(selector))


@pytest.mark.parametrize("text", ["", "<html><body>queue_depth</body></html>", '{"queue_depth": 1}'])
def test_a_page_of_something_else_is_said_to_be_none(text: str) -> None:
    with pytest.raises(Unreadable):
        Page(text).value(parse("queue_depth"))


@pytest.mark.parametrize("line", ["queue_depth", "queue_depth many", 'queue_depth{queue="mail} 3'])
def test_a_line_that_cannot_be_read_is_said(line: str) -> None:
    with pytest.raises(Unreadable, match="queue_depth"):
        Page(line + "\n").value(parse("queue_depth"))


def test_the_worst_member_counts() -> None:
    found = {"w1": 3.0, "w2": 9.0}
    most, least = measure(parse("queue_depth"), found, None), measure(parse("queue_depth"), found, 5.0)
    assert (most.value, most.text) == (9.0, "queue_depth is 9 at w2")
    assert (least.value, least.text) == (3.0, "queue_depth is 3 at w1")
    assert measure(parse("queue_depth"), {}, None).no_data
