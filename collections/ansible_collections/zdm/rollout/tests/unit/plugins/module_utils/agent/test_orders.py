# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders of people at a router: an abort is done at once, the others wait in the record for whoever holds the lease."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.agent import orders
from ansible_collections.zdm.rollout.plugins.module_utils.agent.apply import Order, apply
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import Acquire, Lease, LeaseError
from ansible_collections.zdm.rollout.plugins.module_utils.agent.orders import KEPT, LONGEST, Left, leave
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import Record, RecordError, Store
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Sick, Wanted

from .driver import SERVICE, Blind, FakeDriver

OTHERS = ["pause", "resume", "promote", "park"]
AT = "2026-01-01T00:00:00+00:00"


LEASE = Lease("armed", 1, "r1", "ann", "v2", AT, "blue", "green", {"blue": 75.0, "green": 25.0})


class Place:
    """A router with its state directory, on which run r1 of ann has 25 % on loan."""

    def __init__(self, directory: str) -> None:
        self.driver, self.store = FakeDriver(), Store(directory)
        self.driver.write(SERVICE, Wanted(dict(LEASE.split or {}), "blue"))
        self.driver.calls.clear()
        self.remember(LEASE)

    def remember(self, lease: Lease) -> None:
        """As if the lease had come to be like this."""
        self.store.save(Record("test", "web", lease, SERVICE.to_json(), {"type": "fake"}))

    def leave(self, verb: str, id: str = "o1", gate: Gate | None = None, **other: Any) -> Left:
        given = {"environment": "test", "name": "web", "by": "bob@desk", "at": AT, **other}
        return leave(self.store, gate or Gate(), verb=verb, id=id, **given)

    @property
    def record(self) -> Record:
        return self.store.load("test", "web")

    def locks(self) -> list[str]:
        return [path.name for path in Path(self.store.directory).glob("*.lock")]

    def file(self) -> bytes:
        return (Path(self.store.directory) / "test" / "web.json").read_bytes()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(str(tmp_path))
    monkeypatch.setattr(orders, "open_router", lambda definition: made.driver)
    return made


# --- abort


def test_an_abort_brings_all_traffic_back_and_says_who_and_why(place: Place) -> None:
    left = place.leave("abort", reason="the shop calls")
    assert place.driver.share() == 0
    assert left.traffic is not None and left.traffic.split == {"blue": 100.0, "green": 0.0}
    assert {change.thing for change in left.changes} == {"blue-1", "blue-2", "green-1", "green-2"}
    assert (place.record.lease.state, place.record.lease.reason) == ("reverted", "abort, by bob@desk: the shop calls")
    (rollout,) = place.record.rollouts
    assert (rollout["outcome"], rollout["reason"]) == ("rolled_back", "abort, by bob@desk: the shop calls")


def test_an_abort_may_come_again_and_finds_it_done(place: Place) -> None:
    place.leave("abort")
    again = place.leave("abort", id="o2")
    assert (again.changes, place.driver.share(), place.record.lease.state) == ((), 0, "reverted")


def test_an_abort_can_be_looked_at_first(place: Place) -> None:
    before = place.file()
    shown = place.leave("abort", check=True)
    assert len(shown.changes) == 4
    assert (place.driver.wrote, place.driver.share(), place.file()) == ([], 25, before)
    assert place.leave("abort").changes == shown.changes


def test_an_abort_sends_nothing_to_a_dead_pool_but_on_a_persons_word(place: Place) -> None:
    place.driver.ail("blue")
    place.driver.calls.clear()
    with pytest.raises(Sick, match="blue would get 100 %"):
        place.leave("abort")
    assert place.driver.wrote == []
    assert place.record.lease.lives, "what is owed is owed still"
    place.leave("abort", even_if_sick=True)
    assert place.driver.wrote == ["write"]
    assert not place.record.lease.lives


def test_without_the_gate_a_dead_pool_gets_it__control(place: Place) -> None:
    place.driver.ail("blue")
    place.leave("abort", gate=Blind())
    assert place.driver.wrote == ["revert"]


def test_after_a_promotion_there_is_nothing_to_abort(place: Place) -> None:
    place.remember(replace(LEASE, state="idle", split={"blue": 0.0, "green": 100.0}))
    with pytest.raises(LeaseError, match="nothing to revert") as refused:
        place.leave("abort")
    assert (refused.value.code, place.driver.wrote) == ("idle", [])


# --- what waits for the run


@pytest.mark.parametrize("verb", OTHERS)
def test_an_order_waits_in_the_record(place: Place, verb: str) -> None:
    left = place.leave(verb, reason="let me see")
    assert left.traffic is None
    assert place.record.orders == ({"id": "o1", "verb": verb, "by": "bob@desk", "at": AT, "reason": "let me see"},)
    assert place.record == left.record
    (change,) = left.changes
    assert (change.thing, change.before) == ("orders of web", "")
    assert change.after == "%s, by bob@desk at %s\n" % (verb, AT)
    assert place.driver.calls == [], "the router has nothing to do with it"


def test_an_order_counts_once_by_its_id(place: Place) -> None:
    place.leave("pause")
    before = place.file()
    assert place.leave("pause").changes == ()
    assert place.leave("promote").changes == (), "it is the id that counts"
    assert place.locks() == ["apply.lock"], "control: what changes something takes the lock"
    assert place.file() == before
    assert len(place.leave("pause", id="o2").changes) == 1
    assert [order["id"] for order in place.record.orders] == ["o1", "o2"]


@pytest.mark.parametrize("verb", OTHERS)
def test_an_order_can_be_looked_at_first(place: Place, verb: str) -> None:
    before = place.file()
    shown = place.leave(verb, check=True)
    assert place.file() == before
    assert place.leave(verb).changes == shown.changes


def test_only_the_newest_are_kept(place: Place) -> None:
    for number in range(KEPT + 3):
        place.leave("pause", id="o%d" % number)
    assert [order["id"] for order in place.record.orders] == ["o%d" % number for number in range(3, KEPT + 3)]


def test_orders_are_gone_with_their_rollout(place: Place) -> None:
    place.leave("pause")
    place.leave("abort", id="o2")
    assert place.record.orders == ()


@pytest.mark.parametrize("verb", OTHERS)
def test_without_a_rollout_there_is_nothing_to_order(place: Place, verb: str) -> None:
    place.remember(replace(LEASE, state="reverted", reason="errors: canary fails"))
    before = place.file()
    with pytest.raises(LeaseError) as refused:
        place.leave(verb)
    assert (refused.value.code, place.locks()) == ("idle", [])
    for word in ("web", "nothing to %s" % verb, "reverted: errors: canary fails", "zdm-agent status"):
        assert word in refused.value.text
    assert place.file() == before


# --- what is refused


@pytest.mark.parametrize("verb", ["abort", *OTHERS])
def test_a_service_that_was_never_here_is_named_with_those_that_were(place: Place, verb: str) -> None:
    with pytest.raises(RecordError, match=r"no record of test/wob .*: known are test/web"):
        place.leave(verb, name="wob")
    assert place.locks() == [], "who only asks leaves nothing behind"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"verb": "fly"}, "'fly' is not known: expected one of abort, pause, resume, promote"),
        ({"verb": "pause", "by": ""}, "by is empty: expected who gives it"),
        ({"verb": "pause", "id": ""}, "id is empty"),
        ({"verb": "pause", "reason": "fine\nFAKE: all is well"}, "reason is .* expected one line"),
        ({"verb": "abort", "by": "\x1b[2Jann"}, "by is .* expected one line of printable characters"),
        *(({"verb": "abort", key: "x" * (most + 1)}, "at most %d" % most) for key, most in LONGEST.items()),
    ],
)
def test_an_order_that_makes_no_sense_changes_nothing(place: Place, given: dict[str, Any], says: str) -> None:
    before = place.file()
    with pytest.raises(ValueError, match=says):
        place.leave(**given)
    assert (place.file(), place.driver.calls) == (before, [])


def test_all_that_is_kept_goes_along_with_a_renewal(place: Place) -> None:
    """Even where each character takes six in JSON there is room for the rest of the reply."""
    for number in range(KEPT):
        by, reason = "\u00e9" * LONGEST["by"], "\u00e9" * LONGEST["reason"]
        place.leave("promote", id=("%d" % number).ljust(LONGEST["id"], "\u00e9"), by=by, reason=reason)
    assert len(place.file()) < 60000


# --- lock and unlock


def acquire(place: Place) -> None:
    """Another run wants the lease, which nobody has."""
    event = Acquire("r2", "eve", "v3", "blue", "green", AT, 0.0)
    apply(place.store, place.driver, Gate(), Order("test", "web", event, AT, SERVICE, {"type": "fake"}))


def test_a_locked_service_refuses_a_rollout_with_who_since_and_why_until_it_is_unlocked(place: Place) -> None:
    place.remember(replace(LEASE, state="idle"))
    place.leave("lock", reason="schema change")
    with pytest.raises(
        LeaseError, match=f"locked by bob@desk since {AT.replace('+', '.')}: schema change; no roll"
    ) as no:
        acquire(place)
    assert no.value.code == "busy"
    place.leave("unlock", by="ann@desk")
    acquire(place)
    assert place.record.lease.run == "r2"


def test_a_service_that_nobody_locked_gives_the_lease__control(place: Place) -> None:
    place.remember(replace(LEASE, state="idle"))
    acquire(place)
    assert place.record.lease.run == "r2"


def test_a_rollout_under_way_is_not_touched_by_a_lock(place: Place) -> None:
    before = place.record
    place.leave("lock")
    assert place.record == replace(before, locked={"by": "bob@desk", "at": AT, "reason": ""})
    assert not place.driver.calls


def test_the_second_lock_and_the_second_unlock_change_nothing(place: Place) -> None:
    for verb, changes in (("lock", 1), ("lock", 0), ("unlock", 1), ("unlock", 0)):
        before = place.file()
        assert len(place.leave(verb).changes) == changes
        assert (place.file() == before) == (changes == 0)


def test_a_lock_is_its_owners(place: Place) -> None:
    place.leave("lock", reason="schema change")
    with pytest.raises(LeaseError, match="bob@desk"):
        place.leave("lock", by="ann@desk", reason="mine now")
    assert place.record.locked == {"by": "bob@desk", "at": AT, "reason": "schema change"}


def test_a_service_can_be_locked_before_its_first_rollout(place: Place) -> None:
    place.leave("lock", name="shop")
    assert place.store.load("test", "shop").locked is not None


def test_a_lock_in_check_mode_is_shown_and_not_put_on(place: Place) -> None:
    before = place.file()
    (change,) = place.leave("lock", reason="schema change", check=True).changes
    assert (change.thing, change.before) == ("lock of web", "")
    assert "schema change" in str(change.after)
    assert place.file() == before


# --- finish


def promoted(place: Place) -> None:
    """The last rollout is over: green has everything."""
    place.remember(replace(LEASE, state="idle", split={"blue": 0.0, "green": 100.0}))
    place.driver.write(SERVICE, Wanted({"blue": 0.0, "green": 100.0}, "green"))


def test_the_pool_without_traffic_is_let_go_once(place: Place) -> None:
    promoted(place)
    assert len(place.leave("finish", reason="the week is over").changes) == 1
    assert place.record.retired == {"pool": "blue", "by": "bob@desk", "at": AT, "reason": "the week is over"}
    before = place.file()
    assert place.leave("finish", id="o2", by="ann@desk").changes == ()
    assert place.file() == before
    assert "write" not in place.driver.calls[1:], "no traffic moves"


def test_asking_what_would_be_let_go_changes_nothing(place: Place) -> None:
    promoted(place)
    before = place.file()
    assert len(place.leave("finish", check=True).changes) == 1
    assert (place.file(), place.locks()) == (before, [])


@pytest.mark.parametrize("state", ["leased", "armed", "held", "stuck"])
def test_nothing_is_let_go_while_a_rollout_has_both_pools(place: Place, state: str) -> None:
    place.driver.write(SERVICE, Wanted({"blue": 0.0, "green": 100.0}, "green"))
    place.remember(replace(LEASE, state=state))
    with pytest.raises(LeaseError, match="has both pools of web in its hands") as no:
        place.leave("finish")
    assert (no.value.code, place.record.retired) == ("busy", None)


def test_a_pool_with_traffic_is_not_let_go(place: Place) -> None:
    place.remember(replace(LEASE, state="idle"))
    with pytest.raises(LeaseError, match="expected a pool without traffic"):
        place.leave("finish")


def test_the_next_rollout_brings_a_release_so_that_nothing_is_let_go_any_more(place: Place) -> None:
    promoted(place)
    place.leave("finish")
    acquire(place)
    assert place.record.retired is None
