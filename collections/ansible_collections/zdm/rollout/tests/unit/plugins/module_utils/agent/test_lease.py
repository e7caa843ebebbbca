# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease: told as conversations, and its table read row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import lease as room
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import (
    ARMED,
    IDLE,
    LEASED,
    REVERTED,
    Acquire,
    Arm,
    Closed,
    Disarm,
    Event,
    Lease,
    LeaseError,
    Order,
    Place,
    Return,
    Revert,
    Write,
    handle,
)

AT_5, AT_25, ALL = {"blue": 95.0, "green": 5.0}, {"blue": 75.0, "green": 25.0}, {"blue": 0.0, "green": 100.0}
BACK = {"blue": 100.0, "green": 0.0}
#: Two runs that want the opposite, so that a return to the wrong stable shows.
TO_GREEN = Acquire(run="run-1", owner="amy", release="2.0", stable="blue", canary="green", at="noon")
TO_BLUE = Acquire(run="run-2", owner="bob", release="3.0", stable="green", canary="blue", at="noon")
HELD = Lease(LEASED, 1, "run-1", "amy", "2.0", "noon", "blue", "green")
TAKEN = Lease(LEASED, 2, "run-2", "bob", "3.0", "noon", "green", "blue")


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
            (TO_GREEN, HELD, None),
            (Arm(1, AT_5), replace(HELD, state=ARMED, split=AT_5), Write(AT_5, "blue")),
            (Arm(1, ALL), replace(HELD, state=ARMED, split=ALL), Write(ALL, "blue")),
            (Disarm(1), replace(HELD, state=IDLE, split=ALL), None),
            (TO_BLUE, TAKEN, None),
            (Arm(2, AT_25), replace(TAKEN, state=ARMED, split=AT_25), Write(AT_25, "green")),
        ],
        [
            (TO_GREEN, HELD, None),
            (Arm(1, AT_5), replace(HELD, state=ARMED, split=AT_5), Write(AT_5, "blue")),
            (Revert(1, "bad"), replace(HELD, state=REVERTED, split=BACK, reason="bad"), Return("blue")),
            (Revert(None, "sure?"), replace(HELD, state=REVERTED, split=BACK, reason="sure?"), Return("blue")),
            (TO_BLUE, TAKEN, None),
        ],
        [
            (TO_GREEN, HELD, None),
            (Closed(1, "gone"), replace(HELD, state=REVERTED, reason="gone"), None),
            (Place(AT_25, "eve"), replace(HELD, state=IDLE, split=AT_25, reason="placed by eve"), Write(AT_25, "blue")),
            (Place(ALL, "eve"), replace(HELD, state=IDLE, split=ALL, reason="placed by eve"), Write(ALL, "green")),
        ],
        [
            (TO_GREEN, HELD, None),
            (Arm(1, AT_5), replace(HELD, state=ARMED, split=AT_5), Write(AT_5, "blue")),
            (Place(AT_5, "eve"), replace(HELD, state=ARMED, split=AT_5), None),
            (Closed(1, "gone"), replace(HELD, state=REVERTED, split=BACK, reason="gone"), Return("blue")),
        ],
        [
            (TO_GREEN, HELD, None),
            (TO_BLUE, TAKEN, None),
            (Arm(2, AT_25), replace(TAKEN, state=ARMED, split=AT_25), Write(AT_25, "green")),
            (TO_GREEN, replace(HELD, epoch=3), Return("green")),
        ],
        [
            (Place(AT_5, "eve"), Lease(split=AT_5, reason="placed by eve"), Write(AT_5, "blue")),
            (TO_GREEN, HELD, None),
        ],
    ],
    ids=["promoted", "reverted, twice", "closed before it armed", "closed", "dead owners", "placed"],
)
def test_a_conversation(conversation: list[tuple[Event, Lease, Order]]) -> None:
    lease = Lease()
    for event, expected, order in conversation:
        assert handle(lease, event) == (expected, order)
        lease = expected


#: The docstring's rows. What stands for an event at a lease of epoch 1 (0 before the first).
ROWS: Mapping[str, Lease] = {
    "new": Lease(),
    "idle": after(TO_GREEN, Arm(1, AT_5), Disarm(1)),
    "leased": after(TO_GREEN),
    "armed": after(TO_GREEN, Arm(1, AT_5)),
    "reverted": after(TO_GREEN, Arm(1, AT_5), Revert(1, "bad")),
}
COLUMNS: Mapping[str, Callable[[int], Event]] = {
    "acquire": lambda epoch: TO_BLUE,
    "acquire, alive": lambda epoch: replace(TO_BLUE, holder_alive=True),
    "arm": lambda epoch: Arm(epoch, AT_25),
    "revert": lambda epoch: Revert(epoch, "bad"),
    "force": lambda epoch: Revert(None, "bad"),
    "disarm": Disarm,
    "closed": lambda epoch: Closed(epoch, "gone"),
    "place same": lambda epoch: Place(dict(AT_5), "eve"),
    "place other": lambda epoch: Place(AT_25, "eve"),
}
HOME, WRITE_5, WRITE_25 = Return("blue"), Write(AT_5, "blue"), Write(AT_25, "blue")
#: The new state and the order, or the code of the refusal.
TABLE: Mapping[str, Mapping[str, tuple[str, Order] | str]] = {
    "new": {
        "acquire": (LEASED, None),
        "acquire, alive": "busy",
        "arm": "idle",
        "revert": "idle",
        "force": "idle",
        "disarm": "idle",
        "closed": "idle",
        "place same": (IDLE, WRITE_5),
        "place other": (IDLE, WRITE_25),
    },
    "idle": {
        "acquire": (LEASED, None),
        "acquire, alive": "busy",
        "arm": "idle",
        "revert": "idle",
        "force": "idle",
        "disarm": "idle",
        "closed": "idle",
        "place same": (IDLE, WRITE_5),
        "place other": (IDLE, WRITE_25),
    },
    "leased": {
        "acquire": (LEASED, None),
        "acquire, alive": "busy",
        "arm": (ARMED, WRITE_25),
        "revert": (REVERTED, None),
        "force": (REVERTED, None),
        "disarm": (IDLE, None),
        "closed": (REVERTED, None),
        "place same": "busy",
        "place other": "busy",
    },
    "armed": {
        "acquire": (LEASED, HOME),
        "acquire, alive": "busy",
        "arm": (ARMED, WRITE_25),
        "revert": (REVERTED, HOME),
        "force": (REVERTED, HOME),
        "disarm": (IDLE, None),
        "closed": (REVERTED, HOME),
        "place same": (ARMED, None),
        "place other": "busy",
    },
    "reverted": {
        "acquire": (LEASED, None),
        "acquire, alive": "busy",
        "arm": "reverted",
        "revert": "reverted",
        "force": (REVERTED, HOME),
        "disarm": "reverted",
        "closed": "reverted",
        "place same": (IDLE, WRITE_5),
        "place other": (IDLE, WRITE_25),
    },
}


@pytest.mark.parametrize(("row", "column"), [(row, column) for row in ROWS for column in COLUMNS])
def test_the_table(row: str, column: str) -> None:
    lease, expected = ROWS[row], TABLE[row][column]
    event = COLUMNS[column](lease.epoch)
    if isinstance(expected, str):
        with pytest.raises(LeaseError) as refusal:
            handle(lease, event)
        assert refusal.value.code == expected
    else:
        found, order = handle(lease, event)
        assert (found.state, order) == expected


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("column", ["arm", "revert", "disarm", "closed"])
@pytest.mark.parametrize("off", [-1, 1])
def test_another_epoch_is_fenced_in_every_row(row: str, column: str, off: int) -> None:
    with pytest.raises(LeaseError) as refusal:
        handle(ROWS[row], COLUMNS[column](ROWS[row].epoch + off))
    assert refusal.value.code == "fenced"


def test_the_docstring_says_what_the_table_says() -> None:
    lines = [line.split("|") for line in (room.__doc__ or "").splitlines() if "|" in line]
    (dummy, head), rows = lines[0], lines[1:]
    assert [name.strip() for name, dummy in rows] == [IDLE, LEASED, ARMED, REVERTED]
    starts = [head.index(name) for name in head.split()]
    for name, cells in rows:
        for column, start, end in zip(head.split(), starts, [*starts[1:], None], strict=True):
            cell = cells[start:end].strip()
            outcomes = [TABLE[name.strip()][key] for key in TABLE["new"] if key.startswith(column)]
            if cell == "only the same split":
                assert (outcomes[0], outcomes[1]) == ((name.strip(), None), "busy")
            elif cell.endswith("*"):
                assert [outcomes[0][0], outcomes[1]] == [cell[:-1], "busy"]
            elif cell.endswith("!"):
                assert isinstance(outcomes[0], str)
                assert TABLE[name.strip()]["force"] == (cell[:-1], HOME)
            elif cell == ".":
                assert all(isinstance(outcome, str) for outcome in outcomes)
            else:
                assert {outcome[0] for outcome in outcomes} == {cell}


@pytest.mark.parametrize(
    ("row", "event", "words"),
    [
        ("armed", replace(TO_BLUE, holder_alive=True), ["run-1", "amy", "noon", "2.0", "zdm-agent revert"]),
        ("reverted", replace(TO_BLUE, holder_alive=True), ["another session", "try again"]),
        ("armed", Place(AT_25, "eve"), ["run-1", "amy", "noon", "zdm-agent revert"]),
        ("armed", Arm(7, AT_25), ["epoch 7", "1 is in force", "amy"]),
        ("reverted", Arm(1, AT_25), ["revert", "bad"]),
        ("idle", Arm(1, AT_25), ["acquire"]),
        ("idle", Revert(None, "bad"), ["nothing to revert", "undo"]),
    ],
)
def test_a_refusal_names_who_and_what_next(row: str, event: Event, words: list[str]) -> None:
    with pytest.raises(LeaseError) as refusal:
        handle(ROWS[row], event)
    assert [word for word in words if word not in refusal.value.text] == []
