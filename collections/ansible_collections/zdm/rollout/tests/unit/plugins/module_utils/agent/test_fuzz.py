# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol, fuzzed by its grammar: whatever a stranger says, a lease that lives is none the worse for it."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import coverage
import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as leases
from ansible_collections.zdm.rollout.plugins.module_utils.agent import protocol
from ansible_collections.zdm.rollout.plugins.module_utils.agent import session as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.probe import Answer
from ansible_collections.zdm.rollout.plugins.module_utils.agent.session import Session
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import UP

from .agents import RUN, WEB, Agent, ask, refusal, split
from .grammar import TERMS, Grammar, may_move
from .guards import Client, Turned, clock, guarded

__all__ = ["clock"]

SEEDS, LINES = range(10), 500


@pytest.fixture(autouse=True)
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked anything over a network."""
    monkeypatch.setattr(room, "probe", lambda member, health: Answer(None, "", "refused", 0.0))


@dataclass(frozen=True)
class Kept:
    """What must be the same after any stranger: weights, record, and the files outside of the state directory."""

    weights: dict[str, int]
    record: bytes
    beside: frozenset[str]

    @classmethod
    def of(cls, agent: Agent) -> Kept:
        state = Path(agent.store.directory)
        weights = {name: member.weight for name, member in agent.driver.members.items()}
        beside = frozenset(path.name for path in (*state.parent.iterdir(), *state.parent.parent.iterdir()))
        return cls(weights, (state / "test" / "web.json").read_bytes(), beside)


class Differs(AssertionError):
    """A stranger has changed something; the text is the line that did it."""


def fuzz(agent: Agent, seed: int, lines: int = LINES) -> int:
    """So many lines of strangers beside an armed lease; Differs. How many of them were carried out.

    One of them has said hello, one has not, and one is served by a connection itself, past the guard.
    """
    holder = agent.at_25()
    alone = Session(agent.tenures, "none", minding=False, why="it is stopped")
    ask(alone, "hello", versions=[1], router={"type": "fake"})
    strangers, grammar, done = [agent.meet(), Session(agent.tenures, "session"), alone], Grammar(seed), 0
    before = Kept.of(agent)
    for dummy in range(lines):
        line = grammar.line()
        if may_move(line):
            continue
        text = line.decode("utf-8", "replace")
        for stranger in strangers:
            answers = stranger.answer(text)
            assert answers.endswith("\n") and answers.count("\n") == 1, text
            reply = json.loads(answers)
            done += reply["ok"]
            assert reply["ok"] or reply["error"]["code"] in CODES, reply
            assert repr(reply["id"]) == repr(number_of(text)), text
        if Kept.of(agent) != before:
            raise Differs(text)
    for stranger in strangers:
        stranger.close()
    agent.pass_time(0.1)
    assert agent.renewed(holder)["state"] == "armed"
    assert ask(holder, "arm", epoch=1, wanted=split(50))["traffic"]["split"] == {"blue": 50.0, "green": 50.0}
    return done


def number_of(text: str) -> Any:
    """The id that a reply has: the request's, where as much of it could be read."""
    try:
        request = protocol.parse(text)
    except protocol.ProtocolError:
        assert not protocol.is_probe(text)
        return readable(text).get("id")
    assert protocol.is_probe(text) == (request["op"] == "probe")
    assert repr(json.loads(protocol.refusal_to(text, "busy", "later"))["id"]) == repr(request.get("id"))
    return request.get("id")


def readable(text: str) -> dict[str, Any]:
    """An object that is neither too long nor too deep; an empty one where there is none."""
    if len(text) > protocol.LINE_LIMIT:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and depth(found) <= protocol.DEPTH_LIMIT + 1 else {}


def depth(value: Any) -> int:
    """How many containers are around the innermost one, and it."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 1


CODES = {"version", "bad_request", "busy", "fenced", "reverted", "idle", "sick", "router"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stranger_changes_nothing(agent: Agent, seed: int) -> None:
    assert fuzz(agent, seed) > LINES // 20, "some of what he says makes sense"


# --- controls: with one protection off, a stranger does change something


def unfenced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "_fence", lambda lease, epoch: None)


def taken_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    acquire = leases._acquire
    monkeypatch.setitem(
        leases._HANDLERS, leases.Acquire, lambda lease, event: acquire(replace(lease, loan=None), event)
    )


@pytest.mark.parametrize("off", [unfenced, taken_over_at_once])
def test_without_a_protection_somebody_finds_it__control(
    tmp_path: Path, fresh: Callable[[Path], Agent], monkeypatch: pytest.MonkeyPatch, off: Callable[..., None]
) -> None:
    off(monkeypatch)
    with pytest.raises(Differs):
        for seed in range(20):
            (tmp_path / str(seed)).mkdir()
            fuzz(fresh(tmp_path / str(seed)), seed)


# --- over the guard's own socket


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_a_guard_that_is_fuzzed_serves_its_holder(agent: Agent, clock: Turned, seed: int) -> None:
    """Several strangers, who send in pieces of any size and read when they like."""

    def talk() -> None:
        holder = Client(agent)
        holder.arm(ttl=60)
        before = Kept.of(agent)
        grammar = Grammar(seed)
        for number in range(6):
            data = b"\n".join(line for line in (grammar.line() for dummy in range(60)) if not may_move(line)) + b"\n"
            stranger = Client(agent)
            size = (1, 7, 100, 4096, 65536, 1 << 20)[number]
            for start in range(0, min(len(data), 3000 * size), size):
                stranger.send(data[start : start + size])
            assert holder.renew()["state"] == "armed", "meanwhile"
            stranger.close()
        assert Kept.of(agent) == before
        assert holder.renew()["state"] == "armed"
        holder.ask("disarm", epoch=1)
        holder.close()

    assert guarded(agent, talk) == 0


# --- every branch of what reads and carries out requests was taken


def functions(module: ModuleType) -> set[int]:
    """The lines within functions: the others ran when the module was read."""
    path = Path(str(module.__file__))
    found: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            found |= set(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
    return found


@contextmanager
def covered(*modules: ModuleType) -> Iterator[list[str]]:
    """What of these modules was not reached within, as ``file:line``."""
    paths = [str(module.__file__) for module in modules]
    tracer = coverage.Coverage(data_file=None, branch=True, include=paths, config_file=False)
    missed: list[str] = []
    with tracer.collect():
        yield missed
    for module, path in zip(modules, paths, strict=True):
        lines = functions(module)
        unreached = tracer.analysis2(path)[3]
        partial = {line for line, (exits, taken) in tracer.branch_stats(path).items() if taken < exits}
        missed += ["%s:%d" % (Path(path).name, line) for line in sorted(lines & ({*unreached} | partial))]


def converse(agent: Agent) -> None:
    """What only the run itself, a person, or bad luck brings about."""
    mine = agent.meet()
    assert not ask(mine, "acquire", run="r0", terms={"guard": "resident"}, **RUN)["ok"]
    met = agent.at_25(
        run="r2", notify=[{"command": ["true"]}], reflex={"alpha": 1e-3, "dispersion": 2, "min_failures": 5}
    )
    epoch = agent.record.lease.epoch
    assert ask(met, "arm", epoch=epoch, wanted=split(30), max_hold=60)["ok"]
    assert agent.renewed(met, epoch=epoch, note={"held": 1})["ok"]
    assert not agent.renewed(met, epoch=epoch, note="n" * 9000)["ok"]
    assert not ask(met, "renew", epoch=epoch, t=agent.t + 1e6)["ok"]
    assert ask(met, "order", verb="pause", by="bob", **WEB)["ok"]
    assert ask(met, "order", verb="abort", by="bob", **WEB)["ok"]
    assert agent.renewed(met, epoch=epoch)["state"] == "reverted"
    other = agent.at_25(run="r3")
    assert ask(other, "revert", epoch=epoch + 1, reason="bad")["ok"]
    agent.at_25(run="r4")
    assert ask(agent.meet(), "revert", force=True, reason="bob says", **WEB)["ok"]
    agent.at_25(run="r5")
    assert not ask(agent.meet(), "disarm", force=True, by="bob")["ok"]
    assert ask(agent.meet(), "disarm", force=True, by="bob", **WEB)["ok"]
    late = agent.at_25(run="r6")
    assert ask(late, "disarm", epoch=epoch + 4)["ok"]
    late = agent.at_25(run="r7")
    agent.t += 1e4
    assert agent.renewed(late, epoch=epoch + 5)["state"] == "reverted"
    sick = agent.at_25(run="r8")
    agent.driver.ail("blue")
    assert refusal(sick, "revert", epoch=epoch + 6, reason="bad")[0] == "sick"
    agent.driver.ail("blue", UP)
    agent.kind = "resident"
    agent.pass_time(1e4)
    stays = agent.at_25(run="r9")
    assert ask(stays, "park", epoch=agent.record.lease.epoch, note={"held": 1}, **{"for": 60})["ok"]
    assert not ask(stays, "park", epoch=agent.record.lease.epoch, **{"for": 0.1})["ok"]
    for key, values in TERMS.items():
        for value in values:
            agent.pass_time(1e4)
            ask(mine, "acquire", run="r9", terms={key: value}, **RUN)


def race(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run has the record by the time that a note is to be written into it."""
    met = agent.at_25()
    theirs = replace(agent.record, lease=replace(agent.record.lease, epoch=2, run="r2"))
    applying = agent.store.applying

    def just_before() -> AbstractContextManager[None]:
        agent.store.save(theirs)
        return applying()

    monkeypatch.setattr(agent.store, "applying", just_before)
    agent.renewed(met, note="late")
    assert agent.record == theirs


def test_every_branch_of_the_protocol_and_of_the_session_is_reached(
    tmp_path: Path, fresh: Callable[[Path], Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    with covered(protocol, room) as missed:
        for seed in SEEDS:
            (tmp_path / str(seed)).mkdir()
            fuzz(fresh(tmp_path / str(seed)), seed)
        converse(fresh(tmp_path))
        (tmp_path / "race").mkdir()
        race(fresh(tmp_path / "race"), monkeypatch)
    assert not missed, "not reached: " + ", ".join(missed)
