# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is missing skips a test with the reason; in CI it fails it, so that nothing is left out unseen."""

from __future__ import annotations

import pytest

from tests.support.programs import SOURCES, need


@pytest.fixture
def without_haproxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)


@pytest.mark.usefixtures("without_haproxy")
def test_a_missing_program_skips_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no haproxy: apt-get install haproxy"):
        need("haproxy")


@pytest.mark.usefixtures("without_haproxy")
def test_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no haproxy: apt-get install haproxy"):
        need("haproxy")


def test_what_python_brings_is_found_beside_it() -> None:
    assert need("ansible-playbook").endswith("/bin/ansible-playbook")
    assert "ansible-playbook" in SOURCES
