# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where runs lie, and how they are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils import _state


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZDM_STATE", str(tmp_path))
    return tmp_path


def test_the_directory_is_where_the_user_says(state: Path) -> None:
    assert _state.run_directory("test", "web", "r1") == state / "test" / "web" / "r1"


@pytest.mark.parametrize("said", [None, ""])
def test_else_it_is_in_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ZDM_STATE", raising=False)
    if said is not None:
        monkeypatch.setenv("ZDM_STATE", said)
    assert _state.root() == tmp_path / ".local" / "state" / "zdm"


def test_a_relative_one_stays_the_same_when_the_watch_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZDM_STATE", "state")
    assert _state.root() == tmp_path / "state"


def test_two_runs_of_one_second_differ() -> None:
    assert len({_state.new_run() for dummy in range(10)}) == 10


def test_the_last_run_is_the_newest(state: Path) -> None:
    assert _state.last_run("test", "web") is None
    for run in ("20260102T000000-ffffff", "20260103T000000-000000", "20251231T235959-aaaaaa"):
        _state.run_directory("test", "web", run).mkdir(parents=True)
    last = _state.last_run("test", "web")
    assert last is not None
    assert last.name == "20260103T000000-000000"
    assert _state.last_run("test", "api") is None


@pytest.mark.parametrize("variable", [None, "GITHUB_RUN_ID", "CI_JOB_ID", "AWX_JOB_ID"])
def test_the_owner_is_somebody_to_ask(monkeypatch: pytest.MonkeyPatch, variable: str | None) -> None:
    for name in ("GITHUB_RUN_ID", "CI_JOB_ID", "AWX_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGNAME", "ann")
    if variable:
        monkeypatch.setenv(variable, "77")
    owner = _state.owner()
    assert owner.startswith("ann@")
    assert owner.endswith(" (job 77)") == bool(variable)
