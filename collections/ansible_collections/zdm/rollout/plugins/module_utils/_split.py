# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of a split: weights for it, the share they achieve, the order in which to change them.

Rules of this room: pure functions over numbers; nothing of a proxy, no I/O.
A split is ``{pool: percent}`` with the sum 100. Weights are whole numbers in a router's own scale.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Tuple

#: A share may be off by this part of itself, and by this many points; beyond either it "cannot be held".
RELATIVE_TOLERANCE = 0.10
POINTS_TOLERANCE = 0.5

Bases = Mapping[str, Mapping[str, int]]


def check(split: Mapping[str, float]) -> None:
    """Raise ValueError unless every share is within 0 to 100 and their sum is 100."""
    for pool, share in split.items():
        if not 0 <= share <= 100:
            raise ValueError("share of pool %r is %r: expected 0 to 100 percent" % (pool, share))
    total = sum(split.values())
    if abs(total - 100) > 1e-6:
        raise ValueError("the split %s sums to %g: expected 100" % (describe(split), total))


def read(given: Mapping[str, Any], pools: Iterable[str]) -> Dict[str, float]:
    """A split as people write it (``{blue: 95, green: "5"}``), whole: pools that are not named get 0.

    ValueError for a pool that is not one of ``pools``, for what is no number, and for a sum that is not 100.
    """
    known = list(pools)
    strangers = sorted(set(given) - set(known))
    if strangers:
        raise ValueError("split names pool %r: expected %s" % (strangers[0], " and ".join(known)))
    try:
        split = {pool: float(given.get(pool, 0.0)) for pool in known}
    except (TypeError, ValueError):
        raise ValueError("split is %r: expected a number of percent for each pool" % (dict(given),)) from None
    check(split)
    return split


def describe(split: Mapping[str, float]) -> str:
    """A split for people: ``blue 95 %, green 5 %``."""
    return ", ".join("%s %s %%" % (pool, percent(share)) for pool, share in sorted(split.items()))


def percent(share: float) -> str:
    """A share for people, at most two decimals: ``5``, ``4.83``."""
    return ("%.2f" % share).rstrip("0").rstrip(".")


def achieved(weights: Mapping[str, Mapping[str, int]]) -> Dict[str, float]:
    """The split that ``{pool: {server: weight}}`` gives; all shares are 0 where the weights are (0/0)."""
    sums = {pool: sum(servers.values()) for pool, servers in weights.items()}
    total = sum(sums.values())
    return {pool: 100.0 * part / total if total else 0.0 for pool, part in sums.items()}


def allot(split: Mapping[str, float], bases: Bases, top: int) -> Dict[str, Dict[str, int]]:
    """Whole weights from 0 to ``top`` for servers, so that the pools get ``split``.

    ``bases`` is ``{pool: {server: base}}`` of the servers that are up; within a pool the weights keep the
    proportion of the bases as far as whole numbers allow, and a server of a pool with a share gets at least 1.
    Every factor that puts the heaviest server on 1..top is tried; the one whose split is nearest is taken,
    of equal ones the largest (more room to correct later).
    """
    ideal = {
        pool: {server: split.get(pool, 0.0) / (sum(servers.values()) or 1) * base for server, base in servers.items()}
        for pool, servers in bases.items()
    }
    heaviest = max((weight for servers in ideal.values() for weight in servers.values()), default=0.0)
    if heaviest == 0:
        return {pool: dict.fromkeys(servers, 0) for pool, servers in ideal.items()}
    best: Dict[str, Dict[str, int]] = {}
    best_error = float("inf")
    for highest in range(top, 0, -1):
        candidate = {
            pool: {server: _whole(weight * highest / heaviest) for server, weight in servers.items()}
            for pool, servers in ideal.items()
        }
        error = distance(achieved(candidate), split)
        if error < best_error - 1e-12:
            best, best_error = candidate, error
    return best


def _whole(weight: float) -> int:
    return max(1, int(weight + 0.5)) if weight > 0 else 0


def parts(split: Mapping[str, float], whole: int) -> Dict[str, int]:
    """The split as whole parts that sum to exactly ``whole`` (largest remainder); a share above 0 gets at least 1."""
    exact = {pool: share * whole / 100.0 for pool, share in split.items()}
    result = {pool: max(int(part), 1 if part > 0 else 0) for pool, part in exact.items()}
    by_remainder = sorted(exact, key=lambda pool: (result[pool] - exact[pool], pool))
    for pool in by_remainder[: max(0, whole - sum(result.values()))]:
        result[pool] += 1
    excess = sum(result.values()) - whole
    if excess > 0:
        result[max(result, key=lambda pool: result[pool])] -= excess
    return result


def distance(actual: Mapping[str, float], wanted: Mapping[str, float]) -> float:
    """The largest difference of a pool's share, in points."""
    return max((abs(actual.get(pool, 0.0) - wanted.get(pool, 0.0)) for pool in set(actual) | set(wanted)), default=0.0)


def can_hold(actual: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    """Whether ``actual`` counts as ``wanted``: a share of 0 is exactly 0, any other is off by
    at most 10 % of itself and at most 0.5 points."""
    for pool in set(actual) | set(wanted):
        share, got = wanted.get(pool, 0.0), actual.get(pool, 0.0)
        if abs(got - share) > min(RELATIVE_TOLERANCE * share, POINTS_TOLERANCE) + 1e-9:
            return False
    return True


def order(
    before: Mapping[str, int], after: Mapping[str, int], pool_of: Mapping[str, str], stable: str
) -> List[Tuple[str, int]]:
    """The changes ``(server, weight)`` from ``before`` to ``after`` in the order that is safe at every instant.

    First stable is raised, then the others are raised, then the others are lowered, then stable: so no instant has
    all weights at 0, and while it lasts the others never have a larger share than before or after (as long as
    stable does not lose traffic that nobody else gains).
    """

    def changed(raised: bool, is_stable: bool) -> Iterable[Tuple[str, int]]:
        for server, weight in after.items():
            old = before.get(server, 0)
            if weight != old and (weight > old) == raised and (pool_of[server] == stable) == is_stable:
                yield server, weight

    return [
        change
        for raised, is_stable in ((True, True), (True, False), (False, False), (False, True))
        for change in changed(raised, is_stable)
    ]
