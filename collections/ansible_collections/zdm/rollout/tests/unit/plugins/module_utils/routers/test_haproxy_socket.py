# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands in lines that HAProxy can read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.zdm.rollout.plugins.module_utils.routers._haproxy_socket import LINE_LIMIT, packed


@given(some.lists(some.integers(1, LINE_LIMIT - 1).map("x".__mul__), max_size=12))
def test_as_few_lines_as_needed_in_the_same_order(commands: list[str]) -> None:
    lines = packed(commands)
    assert [command for line in lines for command in line] == commands
    assert all(line and len(";".join(line) + "\n") <= LINE_LIMIT for line in lines)
    for line, following in zip(lines, lines[1:]):
        assert len(";".join([*line, following[0]]) + "\n") > LINE_LIMIT, "it would have had room"


def test_a_fleet_of_any_ordinary_size_is_one_line() -> None:
    assert len(packed(["set server web/vm%03d-green weight 128" % n for n in range(200)])) == 1
