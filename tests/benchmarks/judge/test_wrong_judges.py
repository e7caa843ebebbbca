# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges that are wrong in one place, as one may write them on a bad day: the judge's own tests find each of them.

The judge and its tests are copied, one place of the source is altered, and the tests of one file are run on the copy.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.playbook import ROOT

COLLECTION = Path("collections/ansible_collections/zdm/rollout")
JUDGE, TESTS = COLLECTION / "plugins/module_utils/judge", COLLECTION / "tests/unit/plugins/module_utils/judge"


class Wrong(NamedTuple):
    """``text`` of a file of the judge, and what is there instead; ``found_by`` is the file of tests."""

    file: str
    text: str
    instead: str
    found_by: str


WRONG = {
    "points forgotten": Wrong("margin.py", " - (m - 1.0) * margin * canary.requests", "", "test_margin.py"),
    "ratio forgotten": Wrong(
        "margin.py", "expected = ratio * canary.requests", "expected = 1.0 * canary.requests", "test_margin.py"
    ),
    "pools swapped": Wrong(
        "sequential.py",
        "canary, stable, t = evidence.canary, evidence.stable, evidence.t",
        "stable, canary, t = evidence.canary, evidence.stable, evidence.t",
        "test_sequential.py",
    ),
    "bursts taken for single failures": Wrong("bets.py", "bet + gain / dispersion", "bet + gain", "test_margin.py"),
    "no restarts": Wrong(
        "bets.py",
        'restarts = max(state["restarts"], int((t - began) // self._every))',
        'restarts = state["restarts"]',
        "test_margin.py",
    ),
    "restarts with money from nowhere": Wrong(
        "bets.py",
        'due = self._reserve(state["restarts"]) - self._reserve(restarts)',
        'due = (restarts - state["restarts"]) * self._at_once',
        "test_margin.py",
    ),
    "stable's rate knows the batch": Wrong(
        "hard_fail.py",
        'rate = min(smoothed(Counts(*now["baseline"])), CEILING)',
        'rate = min(smoothed(Counts(*now["baseline"]) + batch[1]), CEILING)',
        "test_hard_fail.py",
    ),
    "canary counted as its own baseline": Wrong(
        "hard_fail.py",
        'baseline = Counts(*now["baseline"]) + left',
        'baseline = Counts(*now["baseline"]) + left + canary',
        "test_hard_fail.py",
    ),
    "checks added up unweighted": Wrong(
        "combination.py", "log(weight / total) + log_e", "log(weight) + log_e", "test_combination.py"
    ),
    "a restarted proxy counts nothing": Wrong(
        "tally.py", "        return now\n", "        return Counts()\n", "test_tally.py"
    ),
    "no warm-up": Wrong("sequential.py", "if not evidence.warm:", "if False:", "test_sequential.py"),
    "without stable it is well": Wrong(
        "sequential.py",
        'return Verdict(INCONCLUSIVE, "stable has had no request',
        'return Verdict("pass", "stable has had no request',
        "test_sequential.py",
    ),
    "promoted on stable's failures alone": Wrong(
        "promotion.py", "canary.failures * log(1.0 - a) + ", "", "test_promotion.py"
    ),
    "the evidence begins anew with each step": Wrong(
        "sequential.py",
        'return {**state, "promotion"',
        'return {**self.start(), "promotion"',
        "test_sequential.py",
    ),
}


def ran(directory: Path, name: str) -> subprocess.CompletedProcess[str]:
    """The tests of one file on the copy in ``directory``."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", str(TESTS / name)]
    return subprocess.run(words, cwd=directory, text=True, capture_output=True, check=False, timeout=300)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for part in (JUDGE, TESTS):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "tests").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", sorted({wrong.found_by for wrong in WRONG.values()}))
def test_the_judge_as_it_is_passes__control(copy: Path, name: str) -> None:
    ended = ran(copy, name)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_judge_is_found(copy: Path, name: str) -> None:
    wrong = WRONG[name]
    source = copy / JUDGE / wrong.file
    content = source.read_text(encoding="utf-8")
    assert content.count(wrong.text) == 1, "%s has %r not once" % (wrong.file, wrong.text)
    source.write_text(content.replace(wrong.text, wrong.instead), encoding="utf-8")
    ended = ran(copy, wrong.found_by)
    assert ended.returncode == 1, "nobody noticed: " + ended.stdout + ended.stderr
    assert "AssertionError" in ended.stdout or "assert " in ended.stdout
