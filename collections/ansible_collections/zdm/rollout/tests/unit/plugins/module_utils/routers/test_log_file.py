# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log file that is followed: whole lines once each, however they come, through both ways of rotation."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _log_file as room
from ansible_collections.zdm.rollout.plugins.module_utils.routers._log_file import LINGER_SECONDS, LogFile


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


class Log:
    """A log that has a line before anybody looks, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "access.log"
        self.now = 0.0
        append(self.path, "before\n")
        self.file = LogFile(str(self.path), clock=lambda: self.now)
        assert self.read() == []

    def read(self) -> list[str]:
        return b"".join(self.file.read()).decode().splitlines()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_it_begins_at_the_end_and_waits_for_the_rest_of_a_line(log: Log) -> None:
    append(log.path, "one\ntw")
    assert log.read() == ["one"]
    assert log.read() == []
    append(log.path, "o\n")
    assert log.read() == ["two"]


def test_a_line_that_is_being_written_when_it_begins_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    append(path, "before\non")
    file = LogFile(str(path))
    assert list(file.read()) == []
    append(path, "e\n")
    assert list(file.read()) == [b"one\n"]


def test_the_old_file_is_read_on_while_somebody_writes_to_it(log: Log) -> None:
    old = log.path.with_suffix(".1")
    append(log.path, "one\n")
    log.path.rename(old)
    assert log.read() == ["one"], "its successor is not there yet, and nothing is wrong"
    append(old, "two\n")
    append(log.path, "three\n")
    assert log.read() == ["two", "three"]
    append(old, "four\n")  # by a worker that has not opened the new one yet
    append(log.path, "five\n")
    assert log.read() == ["four", "five"]


def test_what_nobody_writes_to_any_more_is_left(log: Log) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(5):
        log.path.rename(log.path.with_suffix(".%d" % number))
        append(log.path, "%d\n" % number)
        assert log.read() == [str(number)]
    assert len(os.listdir("/proc/self/fd")) == before + 5
    log.now += LINGER_SECONDS
    assert log.read() == []
    assert len(os.listdir("/proc/self/fd")) == before
    append(log.path, "more\n")
    assert log.read() == ["more"]
    log.file.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_a_file_that_gets_its_name_back_is_not_read_twice(log: Log) -> None:
    away = log.path.with_suffix(".1")
    append(log.path, "one\n")
    assert log.read() == ["one"]
    log.path.rename(away)
    append(log.path, "two\n")
    assert log.read() == ["two"]
    away.rename(log.path)
    append(log.path, "three\n")
    assert log.read() == ["three"]


def test_one_that_was_cut_is_read_from_its_beginning(log: Log) -> None:
    append(log.path, "one\n")
    assert log.read() == ["one"]
    os.truncate(log.path, 0)
    assert log.read() == []
    append(log.path, "two\n")
    assert log.read() == ["two"]


@pytest.mark.parametrize("more", [0, 1, 100])
def test_a_cut_is_seen_also_when_the_file_has_grown_again(log: Log, more: int) -> None:
    append(log.path, "at 1 somebody asked\n")
    assert len(log.read()) == 1
    os.truncate(log.path, 7)  # "before" stays, as if it came again
    append(log.path, "at 2 somebody asked\n" + "at 3 others did\n" * more)
    assert log.read() == ["before", "at 2 somebody asked"] + ["at 3 others did"] * more


def test_no_file_is_an_error_and_no_beginning(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    file = LogFile(str(path))
    with pytest.raises(FileNotFoundError):
        list(file.read())
    append(path, "before\n")
    assert list(file.read()) == []
    append(path, "one\n")
    assert list(file.read()) == [b"one\n"]


def test_what_is_examined_is_the_open_file(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    append(path, "before\n")
    seen: list[int] = []
    file = LogFile(str(path), lambda stat: seen.append(stat.st_ino))
    assert list(file.read()) == []
    ours = path.stat().st_ino
    path.rename(path.with_suffix(".1"))
    append(path, "new\n")
    assert list(file.read()) == [b"new\n"]
    assert set(seen) == {ours, path.stat().st_ino}


def test_a_line_longer_than_a_block_comes_in_pieces(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BLOCK", 8)
    append(log.path, "a line of thirty characters ...\n" + "short\n")
    assert b"".join(log.file.read()) == b"a line of thirty characters ...\nshort\n"


@given(
    lines=some.lists(some.text(some.characters(exclude_characters="\n", codec="utf-8"), max_size=20), max_size=30),
    cuts=some.lists(some.integers(0, 700), max_size=20),
    block=some.integers(1, 64),
    moves=some.sets(some.integers(0, 20)),
)
def test_however_the_bytes_come_each_line_comes_once(
    lines: list[str], cuts: list[int], block: int, moves: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("log")
    path = directory / "access.log"
    whole = "".join("%d %s\n" % each for each in enumerate(lines)).encode()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "BLOCK", block)
        path.touch()
        file = LogFile(str(path))
        found = b"".join(file.read())
        for number, (start, end) in enumerate(zip(places, places[1:], strict=False)):
            with path.open("ab") as writer:
                writer.write(whole[start:end])
            found += b"".join(file.read())
            # A file is renamed between two lines: each is written at once.
            if number in moves and whole[:end].endswith(b"\n"):
                path.rename(directory / str(number))
                path.touch()
                found += b"".join(file.read())
        file.close()
    assert found == whole
