# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: told as conversations, and its table read row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Tuple, Union

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    BY_GUARD,
    BY_PERSON,
    BY_RUN,
    HELD,
    IDLE,
    LEASED,
    REVERTED,
    STUCK,
    Acquire,
    Arm,
    Closed,
    Disarm,
    End,
    Event,
    Lease,
    LeaseError,
    Order,
    Park,
    Place,
    Renew,
    Return,
    Revert,
    Stuck,
    Tick,
    Write,
    handle,
)
from ansible_collections.zdm.rollout.plugins.module_utils.agent.loan import Loan

AT_5, AT_25, ALL = {"blue": 95.0, "green": 5.0}, {"blue": 75.0, "green": 25.0}, {"blue": 0.0, "green": 100.0}
BACK = {"blue": 100.0, "green": 0.0}
TTL = 10.0
SILENCE = "nobody renewed the lease for 10 s"
#: Two runs that want the opposite, so that a return to the wrong stable shows.
TO_GREEN = Acquire(run="run-1", owner="amy", release="2.0", stable="blue", canary="green", at="noon", t=0.0)
TO_BLUE = Acquire(run="run-2", owner="bob", release="3.0", stable="green", canary="blue", at="noon", t=50.0)
LENT = Lease(LEASED, 1, "run-1", "amy", "2.0", "noon", "blue", "green", loan=Loan.given(TTL, 0.0))
TAKEN = Lease(LEASED, 2, "run-2", "bob", "3.0", "noon", "green", "blue", loan=Loan.given(TTL, 50.0))
ARMED_5 = replace(LENT, state=ARMED, split=AT_5)


def ended(state: str, reason: str, by: str, split: Mapping[str, float] | None) -> Lease:
    """The first run's lease after its end."""
    return replace(LENT, state=state, split=split, reason=reason, ended_by=by, loan=None)


def after(*events: Event) -> Lease:
    """A new service's lease after these."""
    lease = Lease()
    for event in events:
        lease, dummy = handle(lease, event)
    return lease


@pytest.mark.parametrize(
    "conversation",
    [
        [
            (TO_GREEN, LENT, None),
            (Arm(1, AT_5, 1.0), ARMED_5, Write(AT_5, "blue")),
            (Renew(1, 8.0, 9.0), replace(ARMED_5, loan=Loan.given(TTL, 8.0)), None),
            (Tick(17.9), replace(ARMED_5, loan=Loan.given(TTL, 8.0)), None),
            (Disarm(1), ended(IDLE, "", BY_RUN, AT_5), None),
            (TO_BLUE, TAKEN, None),
            (Arm(2, AT_25, 51.0), replace(TAKEN, state=ARMED, split=AT_25), Write(AT_25, "green")),
        ],
        [
            (TO_GREEN, LENT, None),
            (Arm(1, AT_5, 1.0), ARMED_5, Write(AT_5, "blue")),
            (Revert(1, "bad"), ended(REVERTED, "bad", BY_RUN, BACK), Return("blue")),
            (Revert(None, "sure?"), ended(REVERTED, "sure?", BY_PERSON, BACK), Return("blue")),
            (TO_BLUE, TAKEN, None),
        ],
        [
            (TO_GREEN, LENT, None),
            (Closed(1, 2.0), replace(LENT, loan=LENT.loan and LENT.loan.left(2.0)), None),
            (Tick(3.0), ended(REVERTED, "the controller's connection ended", BY_GUARD, None), None),
            (Place(AT_25, "eve"), ended(IDLE, "placed by eve", BY_PERSON, AT_25), Write(AT_25, "blue")),
            (Place(ALL, "eve"), ended(IDLE, "placed by eve", BY_PERSON, ALL), Write(ALL, "green")),
        ],
        [
            (TO_GREEN, LENT, None),
            (Arm(1, AT_5, 1.0), ARMED_5, Write(AT_5, "blue")),
            (Place(AT_5, "eve"), ARMED_5, None),
            (Tick(10.0), ended(REVERTED, SILENCE, BY_GUARD, BACK), Return("blue")),
        ],
        [
            (TO_GREEN, LENT, None),
            (Arm(1, AT_5, 1.0), ARMED_5, Write(AT_5, "blue")),
            (TO_BLUE, TAKEN, Return("blue")),
            (Arm(2, AT_25, 51.0), replace(TAKEN, state=ARMED, split=AT_25), Write(AT_25, "green")),
            (replace(TO_GREEN, t=90.0), replace(LENT, epoch=3, loan=Loan.given(TTL, 90.0)), Return("green")),
        ],
        [
            (TO_GREEN, LENT, None),
            (Arm(1, AT_5, 1.0), ARMED_5, Write(AT_5, "blue")),
            (End("reflex"), replace(ARMED_5, loan=LENT.loan and LENT.loan.ended("reflex")), None),
            (
                Stuck("blue is down"),
                replace(
                    ARMED_5,
                    state=STUCK,
                    reason="blue is down",
                    ended_by=BY_GUARD,
                    loan=LENT.loan and LENT.loan.ended("reflex"),
                ),
                None,
            ),
            (Tick(1.1), ended(REVERTED, "reflex", BY_GUARD, BACK), Return("blue")),
        ],
        [
            (replace(TO_GREEN, on_expiry="hold"), replace(LENT, on_expiry="hold"), None),
            (Arm(1, AT_5, 1.0), replace(ARMED_5, on_expiry="hold"), Write(AT_5, "blue")),
            (Tick(10.0), replace(ended(HELD, SILENCE, BY_GUARD, AT_5), on_expiry="hold"), None),
            (
                Revert(1, "it was a blip"),
                replace(ended(REVERTED, "it was a blip", BY_RUN, BACK), on_expiry="hold"),
                Return("blue"),
            ),
        ],
        [
            (Place(AT_5, "eve"), Lease(split=AT_5, reason="placed by eve", ended_by=BY_PERSON), Write(AT_5, "blue")),
            (TO_GREEN, LENT, None),
        ],
    ],
    ids=["promoted", "reverted, twice", "closed before it armed", "silence", "dead owners", "stuck", "held", "placed"],
)
def test_a_conversation(conversation: list[tuple[Event, Lease, Order]]) -> None:
    lease = Lease()
    for event, expected, order in conversation:
        assert handle(lease, event) == (expected, order)
        lease = expected


def test_what_was_decided_here_goes_back_also_where_an_abandoned_split_is_held() -> None:
    held = after(replace(TO_GREEN, on_expiry="hold"), Arm(1, AT_5, 1.0), End("reflex: it fails"))
    lease, order = handle(held, Tick(2.0))
    assert (lease.state, lease.reason, order) == (REVERTED, "reflex: it fails", Return("blue"))


#: The docstring's rows. What stands for an event at a lease of epoch 1 (0 before the first), at the time 5.
ROWS: Mapping[str, Lease] = {
    "new": Lease(),
    "idle": after(TO_GREEN, Arm(1, AT_5, 1.0), Disarm(1)),
    "leased": after(TO_GREEN),
    "armed": after(TO_GREEN, Arm(1, AT_5, 1.0)),
    "reverted": after(TO_GREEN, Arm(1, AT_5, 1.0), Revert(1, "bad")),
    "held": after(replace(TO_GREEN, on_expiry="hold"), Arm(1, AT_5, 1.0), Tick(10.0)),
    "stuck": after(TO_GREEN, Arm(1, AT_5, 1.0), Stuck("blue is down")),
}
COLUMNS: Mapping[str, Callable[[int], Event]] = {
    "acquire": lambda epoch: replace(TO_BLUE, t=5.0),
    "acquire, over": lambda epoch: TO_BLUE,
    "arm": lambda epoch: Arm(epoch, AT_25, 5.0),
    "renew": lambda epoch: Renew(epoch, 4.0, 5.0),
    "park": lambda epoch: Park(epoch, 60.0, "one", 5.0),
    "revert": lambda epoch: Revert(epoch, "bad"),
    "revert, person": lambda epoch: Revert(None, "bad"),
    "disarm": Disarm,
    "disarm, person": lambda epoch: Disarm(None, "eve"),
    "closed": lambda epoch: Closed(epoch, 5.0),
    "end": lambda epoch: End("reflex"),
    "stuck": lambda epoch: Stuck("blue is down"),
    "tick": lambda epoch: Tick(5.0),
    "tick, over": lambda epoch: Tick(50.0),
    "place same": lambda epoch: Place(dict(AT_5), "eve"),
    "place other": lambda epoch: Place(AT_25, "eve"),
}
HOME, WRITE_5, WRITE_25 = Return("blue"), Write(AT_5, "blue"), Write(AT_25, "blue")
Cell = Union[Tuple[str, Order], str]


def row(*cells: Cell) -> Mapping[str, Cell]:
    return dict(zip(COLUMNS, cells, strict=True))


PLACED: tuple[Cell, Cell] = ((IDLE, WRITE_5), (IDLE, WRITE_25))
NEW = (LEASED, None)
OUT = "idle"
GONE = "reverted"
#: The new state and the order, or the code of the refusal.
TABLE: Mapping[str, Mapping[str, Cell]] = {
    "new": row(NEW, NEW, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, (IDLE, None), (IDLE, None), *PLACED),
    "idle": row(NEW, NEW, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, OUT, (IDLE, None), (IDLE, None), *PLACED),
    "leased": row(
        "busy",
        NEW,
        (ARMED, WRITE_25),
        (LEASED, None),
        OUT,
        (REVERTED, None),
        (REVERTED, None),
        (IDLE, None),
        (IDLE, None),
        (LEASED, None),
        (LEASED, None),
        (STUCK, None),
        (LEASED, None),
        (REVERTED, None),
        "busy",
        "busy",
    ),
    "armed": row(
        "busy",
        (LEASED, HOME),
        (ARMED, WRITE_25),
        (ARMED, None),
        (ARMED, None),
        (REVERTED, HOME),
        (REVERTED, HOME),
        (IDLE, None),
        (IDLE, None),
        (ARMED, None),
        (ARMED, None),
        (STUCK, None),
        (ARMED, None),
        (REVERTED, HOME),
        (ARMED, None),
        "busy",
    ),
    "reverted": row(
        NEW,
        NEW,
        GONE,
        GONE,
        GONE,
        GONE,
        (REVERTED, HOME),
        GONE,
        OUT,
        GONE,
        OUT,
        OUT,
        (REVERTED, None),
        (REVERTED, None),
        *PLACED,
    ),
    "held": row(
        (LEASED, HOME),
        (LEASED, HOME),
        GONE,
        GONE,
        GONE,
        (REVERTED, HOME),
        (REVERTED, HOME),
        GONE,
        (IDLE, None),
        GONE,
        OUT,
        OUT,
        (HELD, None),
        (HELD, None),
        *PLACED,
    ),
    "stuck": row(
        (LEASED, HOME),
        (LEASED, HOME),
        GONE,
        GONE,
        GONE,
        (REVERTED, HOME),
        (REVERTED, HOME),
        GONE,
        (IDLE, None),
        GONE,
        OUT,
        (STUCK, None),
        (REVERTED, HOME),
        (REVERTED, HOME),
        *PLACED,
    ),
}


@pytest.mark.parametrize(("name", "column"), [(name, column) for name in ROWS for column in COLUMNS])
def test_the_table(name: str, column: str) -> None:
    lease, expected = ROWS[name], TABLE[name][column]
    event = COLUMNS[column](lease.epoch)
    if isinstance(expected, str):
        with pytest.raises(LeaseError) as refusal:
            handle(lease, event)
        assert refusal.value.code == expected
    else:
        found, order = handle(lease, event)
        assert (found.state, order) == expected


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("column", ["arm", "renew", "park", "revert", "disarm", "closed"])
@pytest.mark.parametrize("off", [-1, 1])
def test_another_epoch_is_fenced_in_every_row(name: str, column: str, off: int) -> None:
    with pytest.raises(LeaseError) as refusal:
        handle(ROWS[name], COLUMNS[column](ROWS[name].epoch + off))
    assert refusal.value.code == "fenced"


@pytest.mark.parametrize("event", [Arm(1, AT_25, 10.0), Renew(1, 9.9, 10.0)])
def test_what_comes_after_its_time_is_refused_before_any_tick(event: Event) -> None:
    with pytest.raises(LeaseError, match=SILENCE) as refusal:
        handle(ROWS["armed"], event)
    assert refusal.value.code == "reverted"


def said(name: str, column: str) -> str:
    """What the docstring's cell has to be, by the table."""
    cells = TABLE[name]
    if column == "tick":
        before, over = cells["tick"], cells["tick, over"]
        moved = [cell[0] for cell in (before, over) if isinstance(cell, tuple) and cell[0] != name]
        return "." if not moved else "over" if len(moved) == 1 else str(moved[0])
    if column == "place":
        same, other = cells["place same"], cells["place other"]
        if isinstance(other, tuple):
            return other[0]
        return "same split" if isinstance(same, tuple) else "."
    cell, persons = cells[column], cells.get(column + ", person")
    if column == "acquire" and cell == "busy":
        return "busy"
    if isinstance(cell, tuple):
        return cell[0]
    return "person" if isinstance(persons, tuple) else "."


def test_the_docstring_says_what_the_table_says() -> None:
    lines = [line.split("|") for line in (room.__doc__ or "").splitlines() if "|" in line]
    (dummy, head), rows = lines[0], lines[1:]
    assert [name.strip() for name, dummy in rows] == [IDLE, LEASED, ARMED, REVERTED, HELD, STUCK]
    starts = [head.index(" " + name) + 1 for name in head.split()]
    for name, cells in rows:
        for column, start, end in zip(head.split(), starts, [*starts[1:], None], strict=True):
            assert cells[start:end].strip() == said(name.strip(), column), (name, column)


@pytest.mark.parametrize(
    ("name", "event", "words"),
    [
        ("armed", replace(TO_BLUE, t=5.0), ["run-1", "amy", "noon", "2.0", "zdm-agent revert"]),
        ("armed", Place(AT_25, "eve"), ["run-1", "amy", "noon", "zdm-agent revert"]),
        ("armed", Arm(7, AT_25, 5.0), ["epoch 7", "1 is in force", "amy"]),
        ("armed", Renew(1, 6.0, 5.0), ["time 6.000", "it is 5.000"]),
        ("reverted", Arm(1, AT_25, 5.0), ["revert", "bad"]),
        ("held", Arm(1, AT_25, 5.0), ["held", SILENCE]),
        ("stuck", Arm(1, AT_25, 5.0), ["owed", "blue is down"]),
        ("idle", Arm(1, AT_25, 5.0), ["acquire"]),
        ("idle", Revert(None, "bad"), ["nothing to revert", "undo"]),
    ],
)
def test_a_refusal_names_who_and_what_next(name: str, event: Event, words: list[str]) -> None:
    with pytest.raises(LeaseError) as refusal:
        handle(ROWS[name], event)
    assert [word for word in words if word not in refusal.value.text] == []


def test_a_record_has_all_of_it_but_the_loan() -> None:
    lease = ROWS["stuck"]
    assert Lease.from_json(lease.to_json()) == replace(lease, loan=None)
    older = {key: value for key, value in lease.to_json().items() if key not in room.LATER_KEYS}
    assert Lease.from_json(older).ttl == TTL
    with pytest.raises(KeyError):
        Lease.from_json({key: value for key, value in older.items() if key != "stable"})
