# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a spec: which signal, which rule over it, how often.

Rules of this room: the reading of ``checks`` (contracts, section 1.1). Whether a check can ever fire in the steps
that name it is lint's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import _spec_keys
from ._expression import fault
from ._kinds import ALPHA, DAY, DISPERSION, NAME, PORT, TEXT, TIMEOUT, URL_PATH, duration, number, whole
from ._reader import Reader, read
from ._rules import problem
from ._selector import Selector
from ._selector import parse as selector_of
from .signals import metrics

PERCENT = number(0, 100)
EVERY = duration(1, DAY)
IN_A_ROW = whole(1, 1000)
RATIO = number(1, 100)
POINTS = number(0.001, 50)
WARM_UP = duration(0, 3600)
WEIGHT = number(0.01, 100)
ANY_NUMBER = number(-1e15, 1e15)


@dataclass(frozen=True)
class Policy:
    """How the sequential judge compares: canary may fail ``ratio`` times as often as stable, plus ``points`` percent of
    its requests. ``warm_up``: seconds after each raise in which only hard failures count. ``weight``: the check's part
    of the watch's alpha against the others', unless it has an ``alpha`` of its own. ``dispersion``: None to be learnt.
    """

    ratio: float = 1.25
    points: float = 0.1
    warm_up: float = 60.0
    weight: float = 1.0
    alpha: float | None = None
    dispersion: float | None = None


@dataclass(frozen=True)
class Series:
    """What is read from a page of metrics: two counters, or a histogram, or a gauge."""

    requests: Selector | None
    failures: Selector | None
    histogram: Selector | None
    value: Selector | None


@dataclass(frozen=True)
class Check:
    """A rule over a signal. What does not belong to ``signal`` is None; times in seconds.

    ``of``: errors (bounds in percent), latency, or value (bounds in its unit). ``policy``: of the sequential judge;
    None where limits are fixed.
    """

    name: str
    signal: str
    of: str | None = None
    compare: str | None = None
    policy: Policy | None = None
    min: float | None = None
    max: float | None = None
    path: str | None = None
    port: int | None = None
    timeout: float = 2.0
    expect: int | str | None = None
    asked_from: str | None = None
    series: Series | None = None
    every: float = 5.0
    in_a_row: int = 1

    @property
    def needed(self) -> float:
        """Seconds before it can say anything; a comparison says what it knows at any time."""
        return 0.0 if self.compare else self.every * self.in_a_row

    @property
    def needs_traffic(self) -> bool:
        """Whether it says nothing of members that nobody sends requests to; the others are asked."""
        return self.signal != "http" and self.of != "value"


def read_checks(written: Reader) -> dict[str, Check]:
    """Every check that can be read, by name."""
    checks = (_check(name, body) for name, body in written.entries(_spec_keys.ANY_CHECK))
    return {check.name: check for check in checks if check}


def _check(name: str, body: Reader) -> Check | None:
    """One check; None where not even its signal can be read."""
    read(NAME, name, body.path, "", body.problems)
    signal = body.choice("signal", _spec_keys.SIGNALS, None, required=True)
    if signal is None:
        return None
    own = _spec_keys.CHECK_OF_SIGNAL[signal]
    for key in _spec_keys.ANY_CHECK.known:
        others = [other for other, keys in _spec_keys.CHECK_OF_SIGNAL.items() if key in keys]
        if others and key not in own and body.has(key):
            body.note("check.other_signal", key, body.raw(key), signal=" or ".join(others))
    if signal == "http":
        return _http(name, body)
    if signal == "metrics":
        return _metrics(name, body)
    return _router(name, body)


def _http(name: str, body: Reader) -> Check:
    return Check(
        name=name,
        signal="http",
        policy=_policy(body, None),
        path=body.required("path", URL_PATH, "/"),
        port=body.optional("port", PORT, None),
        timeout=body.optional("timeout", TIMEOUT, Check.timeout),
        expect=_expect(body),
        asked_from=body.choice("from", _spec_keys.PROBE_FROM, "router"),
        every=body.optional("every", EVERY, Check.every),
        in_a_row=body.optional("in_a_row", IN_A_ROW, Check.in_a_row),
    )


def _router(name: str, body: Reader) -> Check:
    of = body.choice("of", _spec_keys.VALUES, "errors")
    check = Check(
        name=name,
        signal="router",
        of=of,
        compare=body.choice("compare", _spec_keys.BASELINES, None),
        policy=_policy(body, of),
        min=body.optional("min", PERCENT, None),
        max=body.optional("max", PERCENT, None),
        every=body.optional("every", EVERY, Check.every),
        in_a_row=body.optional("in_a_row", IN_A_ROW, Check.in_a_row),
    )
    if body.has("compare") and of == "errors" and body.has("every"):
        body.note("check.continuous", "every", body.raw("every"))
    _one_way_to_fail(check, body)
    return check


def _metrics(name: str, body: Reader) -> Check:
    if metrics.MISSING:
        body.note("check.library", "signal", "metrics", package=metrics.MISSING)
    series = _series(body)
    errors = body.has("requests") or body.has("failures")
    of = "errors" if errors else "latency" if body.has("histogram") else "value"
    bound = PERCENT if of == "errors" else ANY_NUMBER
    check = Check(
        name=name,
        signal="metrics",
        of=of,
        compare=body.choice("compare", _spec_keys.BASELINES, None),
        policy=_policy(body, of),
        min=body.optional("min", bound, None),
        max=body.optional("max", bound, None),
        path=body.optional("path", URL_PATH, "/metrics"),
        port=body.optional("port", PORT, None),
        timeout=body.optional("timeout", TIMEOUT, Check.timeout),
        series=series,
        every=body.optional("every", EVERY, Check.every),
        in_a_row=body.optional("in_a_row", IN_A_ROW, Check.in_a_row),
    )
    if body.has("value") and body.has("compare") and of == "value":
        body.note("check.value", "compare", body.raw("compare"))
    else:
        _one_way_to_fail(check, body)
    return check


def _series(body: Reader) -> Series:
    """What is to be read of a page, and a problem where that is not one thing."""
    written = [key for keys in _spec_keys.SERIES for key in keys if body.has(key)]
    if tuple(written) not in _spec_keys.SERIES:
        body.problems.append(problem("check.series", body.path, ", ".join(written) or None))
    return Series(**{key: _selector(body, key) for keys in _spec_keys.SERIES for key in keys})


def _selector(body: Reader, key: str) -> Selector | None:
    text = body.optional(key, TEXT, None)
    if text is None:
        return None
    try:
        return selector_of(text)
    except ValueError as error:
        body.note("check.selector", key, text, reason=str(error))
        return None


def _one_way_to_fail(check: Check, body: Reader) -> None:
    """A problem for each way in which a check that counts cannot fail, or contradicts itself."""
    bounded = body.has("min") or body.has("max")
    if body.has("compare"):
        if bounded:
            body.note("check.both", "max" if body.has("max") else "min", body.raw("max") or body.raw("min"))
        if body.has("in_a_row"):
            body.note("check.continuous", "in_a_row", body.raw("in_a_row"))
        if check.of == "latency" and body.raw("judge") == "threshold":
            body.note("check.latency", "judge", "threshold")
    elif check.of == "latency":
        body.problems.append(problem("check.latency", body.path))
    elif not bounded:
        body.problems.append(problem("check.bounds", body.path))
    elif check.min is not None and check.max is not None and check.min >= check.max:
        body.note("check.crossed", "min", check.min, max=f"{check.max:g}")


def _policy(body: Reader, of: str | None) -> Policy | None:
    """The sequential judge's policy; None where limits are fixed."""
    judge = body.choice("judge", _spec_keys.JUDGES, None)
    if not body.has("compare") or judge == "threshold":
        _no_policy(body)
        return None
    if of == "latency" and body.has("margin"):
        body.note("check.margin", "margin", body.raw("margin"))
    margin = body.mapping("margin", _spec_keys.MARGIN)
    return Policy(
        ratio=margin.optional("ratio", RATIO, Policy.ratio),
        points=margin.optional("points", POINTS, Policy.points),
        warm_up=body.optional("warm_up", WARM_UP, Policy.warm_up),
        weight=body.optional("weight", WEIGHT, Policy.weight),
        alpha=body.optional("alpha", ALPHA, None),
        dispersion=body.optional("dispersion", DISPERSION, None),
    )


def _no_policy(body: Reader) -> None:
    """A problem for each key that only the sequential judge knows."""
    if body.raw("judge") == "sequential" and not body.has("compare"):
        body.note("check.judge", "judge", "sequential")
    for key in _spec_keys.SEQUENTIAL.known:
        if body.has(key):
            body.note("check.sequential", key, body.raw(key))


def _expect(body: Reader) -> int | str | None:
    """The status code or the JMESPath expression; None (any 2xx) where nothing is expected in particular."""
    expect = body.raw("expect")
    if expect is None:
        return None
    if isinstance(expect, str):
        reason = fault(expect)
        if not reason:
            return str(expect)
        body.note("check.expect", "expect", expect, reason=f": {reason}")
        return None
    if isinstance(expect, int) and not isinstance(expect, bool) and 100 <= expect <= 599:
        return expect
    body.note("check.expect", "expect", expect, reason="")
    return None
