# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: what a spec means for the routers as they are now.

Rules of this room: pure. ``plan(spec, fleet, live)`` is all there is; what the routers show is brought in, and the same
function plans for the plan playbook, check mode and the watch.

Theory of operation. Which pool is stable is read from the live routers: the one that has 100 % on all of them. Where
they show anything else, somebody must have said it: the record of a rollout that did not come to its end, or the
spec's ``initial``. Then a step comes first that *settles* all routers at 100 % stable. Every later share is
computed for each router from its own scale and live members, and refused where it cannot be held.

An *errand* other than a rollout of the spec's release (undo, retry) finds its release in what the routers recorded, and
perhaps needs no steps; what it does need is planned like everything else. What a run has *parked* at all routers is
taken up by the same rollout alone (_parking.py), with the steps that were not done yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..module_utils import _split
from ..module_utils.routers.api import DOWN, Traffic
from ..module_utils.routers.rules import MATCH
from . import _errand, _lint, _parking, _reach, _undo
from . import _obstacles as obstacles
from ._errand import A_ROLLOUT, Errand
from ._fleet import Fleet
from ._past import Past
from ._problem import Problem, SpecError
from ._rules import problem
from ._spec import Spec
from ._steps import Approve
from ._terms import NONE

#: From here on a share counts as all, in percent.
ALL = 99.995
#: So many changes of a split that costs something are few.
FEW = 4
#: States of a record (agent/lease.py) in which its rollout was left in the middle, or went back.
UNFINISHED = ("leased", "armed", "reverted", "held", "stuck")


@dataclass(frozen=True)
class LiveRouter:
    """What a router shows now, and the record that its agent keeps of the service (None: there is none).

    ``guard``: the one that lives on its host now: ``resident``, ``session`` or ``none``. ``rate``: what each pool has a
    second now; None where nobody has counted.
    """

    traffic: Traffic
    record: Mapping[str, Any] | None
    guard: str = NONE
    rate: Mapping[str, Mapping[str, float]] | None = None


@dataclass(frozen=True)
class Step:
    """``weight``: canary's share in percent; ``hold`` in seconds; ``settle``: it brings all traffic to stable.

    ``min_hold``: seconds after which the evidence may end the hold (None: none may). ``approve``: a person has to say
    that it is done. ``learns``: checks that only take in how stable does. ``matched``: who matches goes to canary too.
    """

    index: int
    weight: float
    hold: float
    min_requests: int
    checks: tuple[str, ...]
    settle: bool = False
    min_hold: float | None = None
    approve: Approve | None = None
    learns: tuple[str, ...] = ()
    matched: bool = False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        approve = data.get("approve")
        return cls(
            **{
                **data,
                "checks": tuple(data["checks"]),
                "learns": tuple(data.get("learns", ())),
                "approve": Approve(**approve) if approve else None,
            }
        )


@dataclass(frozen=True)
class RouterPlan:
    """What one router promises. ``held``: a step's weight (as text) -> the share that canary really gets there.

    ``way_back``: whether stable has a healthy member now, to which all traffic could go back.
    """

    durable: str
    promises: tuple[str, ...]
    warnings: tuple[str, ...]
    held: Mapping[str, float]
    way_back: bool


@dataclass(frozen=True)
class Plan:
    """What will be done. ``live``: router -> the split it shows now; ``ignored``: router -> reason.

    ``verb``: what it is done for (``_errand``). ``deploy``: the release has to be brought to canary's members first.
    ``takes``: the parked run that it goes on with; the steps before its first one are done.
    """

    service: str
    environment: str
    release: str
    strategy: str
    stable: str
    canary: str
    steps: tuple[Step, ...]
    routers: Mapping[str, RouterPlan]
    ignored: Mapping[str, str]
    live: Mapping[str, Mapping[str, float]]
    warnings: tuple[str, ...]
    verb: str = _errand.ROLLOUT
    deploy: bool = True
    takes: _parking.Takes | None = None

    @property
    def to_do(self) -> tuple[Step, ...]:
        """The steps that are to be made."""
        return self.steps[self.takes.first :] if self.takes else self.steps

    @property
    def duration(self) -> float:
        """The sum of the holds, in seconds: the rollout takes at least that long."""
        return sum(step.hold for step in self.to_do)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        steps = tuple(Step.from_json(step) for step in data["steps"])
        routers = {
            name: RouterPlan(
                router["durable"],
                tuple(router["promises"]),
                tuple(router["warnings"]),
                dict(router["held"]),
                router["way_back"],
            )
            for name, router in data["routers"].items()
        }
        takes = _parking.Takes(**data["takes"]) if data.get("takes") else None
        return cls(**{**data, "steps": steps, "routers": routers, "warnings": tuple(data["warnings"]), "takes": takes})


def plan(spec: Spec, fleet: Fleet, live: Mapping[str, LiveRouter], errand: Errand = A_ROLLOUT) -> Plan:
    """The plan for the fleet as it is; SpecError with every reason why there can be none, ``_undo.Serves``."""
    unread = [problem("plan.unread", name) for name in fleet.routers if name not in live]
    if unread:
        raise SpecError(unread)
    parked = _parking.found(spec, errand, live)
    stable, settled = (parked.stable, True) if parked else _stable(spec, live)
    canary = next(pool for pool in spec.pools if pool != stable)
    if parked:
        way = _undo.Way(spec.release, deploy=False, at_once=False)
        steps = _steps(spec, settled, [])
        problems = _parking.other_steps(parked, steps, spec)
    else:
        way = _way(spec, errand, live, stable if settled else None, canary)
        dead = obstacles.dead(stable, live)
        steps = _steps(spec, settled, dead) if not way.at_once else (Step(0, 100.0, 0.0, 0, ()),)
        problems = list(obstacles.sick_target(way, canary, live))
    to_do = steps[parked.takes.first :] if parked else steps
    problems += obstacles.against(spec, way, to_do, stable, live)
    routers = {name: _router(name, found.traffic, stable, canary, steps, problems) for name, found in live.items()}
    if problems:
        raise SpecError(problems)
    return Plan(
        service=spec.service,
        environment=spec.environment,
        release=way.release,
        strategy=spec.strategy,
        stable=stable,
        canary=canary,
        steps=steps,
        routers=routers,
        ignored=dict(fleet.ignored),
        live={name: dict(found.traffic.split) for name, found in live.items()},
        warnings=(
            *(() if way.at_once else _lint.warnings(spec)),
            *_warnings(spec, stable, canary, live),
            *_costly(to_do, live),
        ),
        verb=errand.verb,
        deploy=way.deploy,
        takes=parked.takes if parked else None,
    )


def _way(spec: Spec, errand: Errand, live: Mapping[str, LiveRouter], serving: str | None, idle: str) -> _undo.Way:
    """Which release it is, and how it gets there."""
    past = Past.of({name: found.record for name, found in live.items()})
    if errand.verb == _errand.UNDO:
        now = _undo.Now(serving, idle)
        return _undo.undo(errand.release, past, now, spec.rollback_window, spec.deploy_tasks is not None)
    if errand.verb == _errand.RETRY:
        return _undo.retry(past)
    return _undo.forward(spec.release, past, serving, errand.again)


def _stable(spec: Spec, live: Mapping[str, LiveRouter]) -> tuple[str, bool]:
    """The pool that serves now, and whether it does so on all routers already; SpecError when nobody says."""
    shown = {name: serving(found.traffic) for name, found in live.items()}
    seen = set(shown.values())
    if len(seen) == 1 and None not in seen:
        return str(seen.pop()), True
    recorded = {_recorded(spec, found.record) for found in live.values()} - {None}
    if len(recorded) == 1:
        return str(recorded.pop()), False
    # Who serves from another pool than ``initial`` may be right, and the word may be old: no guess is made.
    if spec.initial is not None and not recorded and seen <= {None, spec.initial}:
        return spec.initial, False
    if len(seen - {None}) > 1 or (spec.initial is not None and not recorded):
        said = [f"{name} serves from {pool}" for name, pool in shown.items() if pool is not None]
        said += [f"initial is {spec.initial}"] if spec.initial is not None else []
        raise SpecError([problem("plan.disagree", "routers", spec.routers, others="; ".join(said))])
    raise SpecError(
        problem("plan.unsettled", name, _shown(live[name].traffic), pools=" or ".join(spec.pools))
        for name, pool in shown.items()
        if pool is None
    )


def serving(traffic: Traffic) -> str | None:
    """The pool with all traffic, or that would have it if it were up and is the only one that would have any.

    A member elsewhere that would take some as soon as it is up speaks against it.
    """
    for pool, share in traffic.split.items():
        elsewhere = any(member.weight for member in traffic.members if member.pool != pool)
        if (share if traffic.held else traffic.given(pool)) >= ALL and not elsewhere:
            return pool
    return None


def _shown(traffic: Traffic) -> str:
    text = _split.describe(traffic.split)
    lurking = [member.name for member in traffic.members if member.weight and not traffic.split.get(member.pool)]
    return f"{text}; {', '.join(lurking)} would take some as soon as up" if lurking else text


def _recorded(spec: Spec, record: Mapping[str, Any] | None) -> str | None:
    """The stable pool of a rollout that did not come to its end."""
    if record is None or record.get("state") not in UNFINISHED or record.get("stable") not in spec.pools:
        return None
    return str(record["stable"])


def _steps(spec: Spec, settled: bool, dead: list[str]) -> tuple[Step, ...]:
    """The spec's steps; where stable is ``dead`` somewhere those alone that leave it altogether."""
    first = [] if settled or dead else [Step(0, 0.0, 0.0, 0, (), settle=True)]
    return (
        *first,
        *(
            Step(
                index,
                step.weight,
                step.hold,
                step.min_requests,
                step.checks,
                min_hold=step.min_hold if step.min_hold < step.hold else None,
                approve=step.approve,
                learns=step.learns,
                matched=MATCH in spec.rules and step.weight < 100,
            )
            for index, step in enumerate((s for s in spec.steps if s.weight == 100 or not dead), start=len(first))
        ),
    )


def _router(
    name: str, traffic: Traffic, stable: str, canary: str, steps: tuple[Step, ...], problems: list[Problem]
) -> RouterPlan:
    held = {}
    settle = int(steps[0].settle)
    for step in steps:
        wanted = {stable: 100.0 - step.weight, canary: step.weight}
        got = share_of(traffic, wanted, canary)
        if _split.can_hold({stable: 100.0 - got, canary: got}, wanted):
            held[_split.percent(step.weight)] = round(got, 3)
        else:
            words = {"router": name, "achieved": _split.percent(got), "nearest": _split.percent(got)}
            problems.append(problem("plan.share", f"steps[{step.index - settle}].weight", step.weight, **words))
    return RouterPlan(traffic.durable, traffic.promises, traffic.warnings, held, traffic.healthy(stable) > 0)


def share_of(traffic: Traffic, wanted: Mapping[str, float], pool: str) -> float:
    """The share in percent that ``pool`` gets when this router is asked for ``wanted``, by its scale and live members.

    A pool without a live member is computed as if all of its members were up: the release is yet to come to them.
    """
    if traffic.scale.per == "pool":
        parts = _split.parts(wanted, traffic.scale.top)
        return 100.0 * parts[pool] / traffic.scale.top
    bases: dict[str, dict[str, int]] = {}
    for name in wanted:
        members = {member.name: member for member in traffic.members if member.pool == name}
        live = {key: member.base for key, member in members.items() if member.health != DOWN}
        bases[name] = live or {key: member.base for key, member in members.items()}
    return _split.achieved(_split.allot(wanted, bases, traffic.scale.top)).get(pool, 0.0)


def _warnings(spec: Spec, stable: str, canary: str, live: Mapping[str, LiveRouter]) -> list[str]:
    """What the routers as they are now have to do with it."""
    return [*_sick(stable, canary, live), *_lonely(spec, canary, live), *_slow(spec, stable, live)]


def _costly(steps: tuple[Step, ...], live: Mapping[str, LiveRouter]) -> list[str]:
    """Many steps, where each change of the split costs something."""
    costs = {name: found.traffic.costs for name, found in live.items() if found.traffic.costs}
    if len(steps) <= FEW or not costs:
        return []
    return [
        f"{', '.join(costs)}: {len(steps)} steps are as many changes of the split, and each costs something"
        f" ({next(iter(costs.values()))}): let there be at most {FEW}"
    ]


def _sick(stable: str, canary: str, live: Mapping[str, LiveRouter]) -> list[str]:
    texts = []
    for name, found in live.items():
        if not found.traffic.healthy(stable):
            texts.append(
                f"{name}: {stable} has no healthy member, so all goes to {canary} in one step, with no way back"
            )
        if not found.traffic.healthy(canary):
            texts.append(f"{name}: {canary} has no healthy member yet; it must have one before its first share")
    return texts


def _lonely(spec: Spec, canary: str, live: Mapping[str, LiveRouter]) -> list[str]:
    """No comparison can tell a release from the only host that it runs on."""
    members = [sum(member.pool == canary for member in found.traffic.members) for found in live.values()]
    compared = [check.name for check in spec.checks.values() if check.compare]
    if max(members, default=0) != 1 or not compared:
        return []
    return [
        f"{canary} has one member: what is wrong with its host counts as the release's, for {', '.join(compared)};"
        " have two or three members in a pool"
    ]


def _slow(spec: Spec, stable: str, live: Mapping[str, LiveRouter]) -> list[str]:
    """What the checks would not find in their steps, if requests come as they come now on all routers."""
    rates = [found.rate[stable] for found in live.values() if found.rate and stable in found.rate]
    requests, failures = (sum(rate[key] for rate in rates) for key in ("requests", "failures"))
    if not requests or len(rates) < len(live):
        return []
    return _reach.warnings(spec, _reach.Rate(requests, 100.0 * failures / requests))
