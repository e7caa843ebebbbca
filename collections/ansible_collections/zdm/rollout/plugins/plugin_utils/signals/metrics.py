# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of metrics of a member: what a check's selectors find on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from ...module_utils.judge import Histogram, Measurement
from .._selector import Selector

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as _openmetrics
    from prometheus_client.parser import text_string_to_metric_families as _text
except ImportError:  # then a spec with such a check is refused
    _openmetrics = _text = None  # type: ignore[assignment]

#: What is missing on this controller; empty where nothing is.
MISSING = "" if _text is not None else "prometheus_client"
#: The last line of a page in OpenMetrics' format, and of no other.
END = "# EOF"


class Unreadable(Exception):
    """A page that does not say what was asked for; the text says why, for people."""


@dataclass(frozen=True)
class Page:
    """A member's answer, in one of the two formats."""

    text: str

    def totals(self, requests: Selector, failures: Selector) -> dict[str, Any]:
        """The totals of both, as the tally takes them; a counter of failures that is not there yet is 0."""
        had = self._sum(requests)
        if had is None:
            raise Unreadable(f"{requests} is not on the page")
        failed = self._sum(failures) or 0.0
        return {"requests": int(had), "failures": int(failed)}

    def histogram(self, selector: Selector) -> Histogram:
        """The sum of all histograms that the selector finds."""
        buckets = Selector(selector.name + "_bucket", selector.matchers)
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for labels, value in self._series(buckets):
            rest = tuple(sorted((label, text) for label, text in labels.items() if label != "le"))
            found.setdefault(rest, []).append((_edge(labels.get("le", "")), value))
        if not found:
            raise Unreadable(f"{buckets} is not on the page")
        parts = (zip(*sorted(edges), strict=True) for edges in found.values())
        return sum((Histogram.of_edges(*part) for part in parts), Histogram({}))

    def value(self, selector: Selector) -> float:
        """The sum of what the selector finds."""
        found = self._sum(selector)
        if found is None:
            raise Unreadable(f"{selector} is not on the page")
        return found

    def _sum(self, selector: Selector) -> float | None:
        values = [value for dummy, value in self._series(selector)]
        if not all(isfinite(value) for value in values):
            raise Unreadable(f"{selector} is not a number")
        return sum(values) if values else None

    def _series(self, selector: Selector) -> Iterator[tuple[Mapping[str, str], float]]:
        """Labels and values of what the selector finds."""
        openmetrics = self.text.rstrip().endswith(END)
        parse = _openmetrics if openmetrics else _text
        try:
            for family in parse("\n".join([*self._family(selector.name), f"{END}\n" if openmetrics else ""])):
                for sample in family.samples:
                    if sample.name == selector.name and selector.matches(sample.labels):
                        yield sample.labels, float(sample.value)
        except (ValueError, KeyError, IndexError) as error:
            raise Unreadable(f"the lines of {selector.name} cannot be read: {error}") from None

    def _family(self, name: str) -> list[str]:
        """The lines of a series' family, which are all that is parsed: a page may have many thousands."""
        lines = self.text.splitlines()
        types = {words[2]: line for line in lines if line.startswith("# TYPE ") and len(words := line.split()) > 2}
        family = max((each for each in types if name == each or name.startswith(each + "_")), key=len, default=name)
        typed = [types[family]] if family in types else []
        return [*typed, *(line for line in lines if line.startswith(family))]


def measure(selector: Selector, values: Mapping[str, float], minimum: float | None) -> Measurement:
    """The worst member's value: the least where a least is wanted, else the largest."""
    if not values:
        return Measurement(f"{selector}: canary has no member to ask", no_data=True)
    worst = (min if minimum is not None else max)(values, key=lambda name: values[name])
    return Measurement(f"{selector} is {values[worst]:g} at {worst}", value=values[worst])


def _edge(text: str) -> float:
    try:
        return inf if text in ("+Inf", "inf") else float(text)
    except ValueError:
        raise Unreadable(f"le={text!r} is not a number") from None
