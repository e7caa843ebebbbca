# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The access log: where it begins, who may write to it, and what is said when it cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_log import IDLE_SECONDS, AccessLog
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import Unreachable, Unsupported

A = "127.0.0.1:9101"
LINE = (
    '{"t":1796081603.%03d,"c":"0.000","h":"0.001","v":"web","a":"'
    + A
    + '","u":"200","r":"0.001","s":"200","d":0.001}\n'
)


def write(path: Path, lines: int) -> None:
    with path.open("a") as file:
        file.writelines(LINE % number for number in range(lines))


def requests(log: AccessLog) -> int:
    log.read()
    return sum(one.requests for one in log.counters().values())


class Site:
    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.path = directory / "access.log"
        write(self.path, 10)
        self.path.chmod(0o640)
        self.log = AccessLog(str(self.path), "web", clock=lambda: self.now)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    tmp_path.chmod(0o755)
    return Site(tmp_path)


def test_it_counts_from_the_first_look_on(site: Site) -> None:
    assert requests(site.log) == 0
    write(site.path, 3)
    assert requests(site.log) == 3
    assert requests(site.log) == 3
    assert site.log.times() == {A: [(0.001, 0.002, 3)]}
    assert site.log.abandoned() == {A: 0}


def test_lines_that_cannot_be_read_are_told(site: Site) -> None:
    site.log.read()
    with site.path.open("a") as file:
        file.write("something else\n")
    write(site.path, 2)
    assert requests(site.log) == 2
    assert site.log.passed_over == 1


@pytest.mark.parametrize(("silence", "counted"), [(IDLE_SECONDS, 8), (IDLE_SECONDS + 1, 0)])
def test_what_came_while_nobody_looked_for_long_is_not_read(silence: float, counted: int, site: Site) -> None:
    site.log.read()
    write(site.path, 3)
    assert requests(site.log) == 3
    site.now += silence
    write(site.path, 5)
    assert requests(site.log) == counted
    write(site.path, 1)
    assert requests(site.log) == counted + 1


def test_after_a_close_it_begins_anew(site: Site) -> None:
    site.log.read()
    write(site.path, 3)
    assert requests(site.log) == 3
    site.log.close()
    assert requests(site.log) == 0


def test_no_log_is_said_and_nothing_is_counted_before_it_was_there(site: Site) -> None:
    site.path.unlink()
    with pytest.raises(Unreachable, match=r"access log .*access\.log cannot be read: No such file .* the format zdm"):
        site.log.read()
    write(site.path, 3)
    assert requests(site.log) == 0


def test_a_log_that_vanishes_is_no_error_as_long_as_the_old_one_is_written_to(site: Site) -> None:
    site.log.read()
    moved = site.path.with_suffix(".1")
    site.path.rename(moved)
    write(moved, 2)
    assert requests(site.log) == 2


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "access.log").mkdir(mode=0o755)
    with pytest.raises(Unsupported, match=r"access\.log is no ordinary file"):
        AccessLog(str(tmp_path / "access.log"), "web").read()


@pytest.mark.parametrize("mode", [0o660, 0o620, 0o602, 0o666])
def test_a_log_that_others_may_write_to_is_refused(mode: int, site: Site) -> None:
    site.log.read()
    write(site.path, 2)
    assert requests(site.log) == 2
    site.path.chmod(mode)
    write(site.path, 100)  # by whomever
    said = r"access log .* has the mode %04o, .*: expected %04o" % (mode, mode & ~0o022)
    with pytest.raises(Unsupported, match=said):
        site.log.read()
    site.path.chmod(0o644)
    assert requests(site.log) == 0, "what was written meanwhile is nobody's word"
    write(site.path, 1)
    assert requests(site.log) == 1


def test_a_directory_in_which_others_may_replace_it_is_refused(site: Site) -> None:
    site.log.read()
    site.path.parent.chmod(0o777)
    with pytest.raises(Unsupported, match=r"the directory .* of nginx's access log has the mode 0777"):
        site.log.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="a file is given away by root alone")
def test_a_log_that_belongs_to_another_is_refused_also_after_rotation(site: Site) -> None:
    other = 54321
    known = AccessLog(str(site.path), "web", owners=[other])
    for log in (site.log, known):
        log.read()
    site.path.rename(site.path.with_suffix(".1"))
    write(site.path, 2)
    os.chown(site.path, other, -1)
    with pytest.raises(Unsupported, match=r"belongs to the user id 54321, who could forge .*: expected one of 0"):
        site.log.read()
    assert requests(known) == 2
