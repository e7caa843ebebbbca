# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/proxies.md: what it says of the proxies is what running ones say, and who shows the rest is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import TRIED, Traffic
from tests.support.driven import Driven
from tests.support.fleet import Fleet
from tests.support.nginx import Site

ROOT = Path(__file__).resolve().parents[2]
#: How the columns are named, and what stands behind each: a kind of Fleet, or nginx's own configuration.
COLUMNS = {
    "HAProxy, yours": "haproxy",
    "HAProxy, managed": "haproxy-managed",
    "Envoy, managed": "envoy",
    "nginx, managed": "nginx",
    "nginx, yours": "",
}


def table() -> dict[str, dict[str, str]]:
    """Cells by row and column."""
    lines = [line for line in (ROOT / "docs/proxies.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    head, _rule, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def traffic(proxy: str) -> Traffic:
    """What a running router of this kind says."""
    if not proxy:
        with Site() as site:
            return site.driver.read(site.service)
    with Fleet(proxy=proxy) as fleet:
        driven = Driven(fleet)
        return driven.driver.read(driven.service)


def said(found: bool) -> str:
    return "yes" if found else "no"


@pytest.mark.parametrize("column", COLUMNS)
def test_the_table_says_what_the_routers_say(column: str) -> None:
    rows, now = table(), traffic(COLUMNS[column])
    assert {
        row: rows[row][column]
        for row in (
            "the finest share, %",
            "the split survives a restart",
            "`match` and `preview`",
            "what is under way is counted",
            "and can be closed (`on_revert`)",
        )
    } == {
        "the finest share, %": "%.2g" % (100.0 / now.scale.top),
        "the split survives a restart": said(now.durable == "yes"),
        "`match` and `preview`": said(now.rules is not None),
        "what is under way is counted": said(now.sessions("blue") is not None),
        "and can be closed (`on_revert`)": said(now.closes),
    }
    asked = {member.health == TRIED for member in now.members}
    assert asked == {"zdm asks them" in rows["who finds a sick member"][column]}


def test_every_row_names_who_shows_it() -> None:
    there = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    files = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for row, cells in table().items():
        named = re.findall(r"`(test_\w+(?:\.py)?)`", cells["shown by"])
        assert named, row
        missing = [name for name in named if name not in files and "def %s(" % name not in there]
        assert not missing, "%s: %s" % (row, missing)
