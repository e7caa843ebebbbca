# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old pool is kept warm, then let go by an order that a schedule may give; nobody goes back to it unawares."""

from __future__ import annotations

from tests.support.fleet import Fleet

RETIRE = """\
- name: Stop it
  ansible.builtin.lineinfile:
    path: %s
    create: true
    mode: '0600'
    line: 'stopped {{ zdm_member }} of {{ zdm_service }} in {{ zdm_environment }} ({{ zdm_pool }})'
"""


def test_the_old_pool_is_kept_and_then_let_go(three: Fleet) -> None:
    noted = three.directory / "stopped"
    (three.directory / "retire.yml").write_text(RETIRE % noted, encoding="utf-8")
    three.spec.update(steps=[{"weight": 100}], checks={}, keep_old_for="1h", hooks={"retire": {"tasks": "retire.yml"}})

    assert three.play("finish").code == 2, "before the first rollout there is no old pool"
    assert three.play("rollout").code == 0
    early = three.play("finish")
    assert early.code == 2
    assert "an end at least 1h ago: that is how long the old pool is kept warm" in " ".join(early.output.split())
    assert [router.record()["retired"] for router in three.routers] == [None] * 3

    three.spec["keep_old_for"] = 0
    checked = three.play("finish", "--check")
    assert checked.code == 0, checked.output
    assert [router.record()["retired"] for router in three.routers] == [None] * 3
    assert not noted.exists()

    finished = three.play("finish", "-e", "zdm_reason='the week is over'")
    assert finished.code == 0, finished.output
    assert {router.record()["retired"]["pool"] for router in three.routers} == {"blue"}
    assert noted.read_text(encoding="utf-8").splitlines() == ["stopped blue of web in test (blue)"]
    assert "blue was let go by" in three.routers[0].agent("status").stdout
    assert three.shares() == [100.0] * 3

    again = three.play("finish")
    assert again.code == 0, again.output
    assert "changed=0" in again.output.splitlines()[-2], "a schedule may give it as often as it likes"

    undone = three.play("undo")
    assert undone.code == 2, "what blue had is gone, and no hook brings it back"
    assert "expected a release that blue still has" in " ".join(undone.output.split())
    assert three.shares() == [100.0] * 3


def test_a_pool_that_was_kept_is_gone_back_to__control(fleet: Fleet) -> None:
    fleet.spec.update(steps=[{"weight": 100}], checks={})
    assert fleet.play("rollout").code == 0
    assert fleet.play("undo").code == 0
    assert fleet.shares() == [0.0]


def test_nothing_is_let_go_while_a_rollout_is_under_way(fleet: Fleet) -> None:
    fleet.spec.update(steps=[{"weight": 25, "approve": True}, {"weight": 100}], checks={})
    running = fleet.start("rollout")
    running.says("it waits for approval")
    refused = fleet.play("finish", log="finish.log")
    assert refused.code == 2
    assert "no rollout that has both pools in its hands" in " ".join(refused.output.split())
    assert fleet.play("abort", log="abort.log").code == 0
    assert running.wait().code == 2
