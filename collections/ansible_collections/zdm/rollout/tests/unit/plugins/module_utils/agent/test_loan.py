# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loan: when it ends, and what keeps it from ending."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.zdm.rollout.plugins.module_utils.agent.loan import GRACE_SECONDS, Loan, LoanError

TTL = 10.0
LOAN = Loan.given(TTL, 100.0)


def test_it_lasts_for_its_time_and_no_longer() -> None:
    assert LOAN.over(109.9) == ""
    assert LOAN.over(110.0) == "nobody renewed the lease for 10 s"


def test_a_renewal_counts_from_the_time_that_it_brings_back() -> None:
    assert LOAN.renewed(TTL, echo=104.0, t=109.0).over(113.9) == ""
    assert LOAN.renewed(TTL, echo=104.0, t=109.0).over(114.0)


def test_renewals_that_lay_on_their_way_are_worth_what_is_left_of_them() -> None:
    """The controller froze at 103; what it had sent arrives when the link heals, at 109."""
    late = LOAN
    for echo in (101.0, 102.0, 103.0):
        late = late.renewed(TTL, echo, t=109.0)
    assert late.over(113.0)
    naive = LOAN.renewed(TTL, echo=109.0, t=109.0)
    assert naive.over(113.0) == "", "the control: counted from their arrival"


def test_an_old_renewal_shortens_nothing() -> None:
    assert LOAN.renewed(TTL, 105.0, 106.0).renewed(TTL, 101.0, 106.0).over(114.0) == ""


def test_a_time_that_has_not_been_is_refused() -> None:
    with pytest.raises(LoanError, match="expected one that a reply brought"):
        LOAN.renewed(TTL, echo=106.1, t=106.0)


def test_the_end_of_its_connection_leaves_it_a_second() -> None:
    left = LOAN.left(102.0)
    assert left.over(102.0 + GRACE_SECONDS - 0.01) == ""
    assert left.over(102.0 + GRACE_SECONDS) == "the controller's connection ended"
    assert left.renewed(TTL, 102.5, 102.6).over(112.4) == "", "another connection has taken it on"
    assert LOAN.left(109.5).over(110.0) == "nobody renewed the lease for 10 s", "and it is no prolongation"


def test_a_split_is_in_force_no_longer_than_was_meant() -> None:
    armed = LOAN.until(5.0, 101.0)
    assert armed.renewed(TTL, 105.9, 105.9).over(105.9) == ""
    assert "longer than was meant" in armed.renewed(TTL, 106.0, 106.0).over(106.0)
    assert armed.until(None, 102.0).over(109.0) == ""


def test_what_has_ended_stays_ended() -> None:
    ended = LOAN.ended("reflex").ended("something else")
    assert ended.renewed(TTL, 101.0, 101.0).over(101.0) == "reflex"
    assert Loan.left_behind(100.0).over(100.0) == "the guard that minded it has died"


@given(
    some.lists(some.tuples(some.floats(0, 30), some.floats(0, 30)), max_size=20),
    some.floats(0, 30),
)
def test_it_never_outlives_the_newest_sign_of_life_by_more_than_its_time(
    renewals: list[tuple[float, float]], left_at: float
) -> None:
    loan, newest = Loan.given(TTL, 0.0), 0.0
    for echo, after in sorted(renewals, key=sum):
        t = echo + after
        if not loan.over(t):
            loan, newest = loan.renewed(TTL, echo, t), max(newest, echo)
    assert loan.over(newest + TTL)
    assert loan.left(left_at).over(left_at + GRACE_SECONDS) or loan.left(left_at).over(newest + TTL)
