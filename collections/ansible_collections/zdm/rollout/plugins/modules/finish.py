#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: finish
short_description: End a run and say how it came out
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Returns the outcome, and sets it as statistic C(zdm_outcome). A rollout that is not over is ended first, which
    brings all traffic back to stable.
  - It does not fail when the release was not promoted, because Ansible drops the statistics of a failed task. Let the
    next task do so, as the example shows.
options:
  deployed:
    description: For each member of canary whether the release got there. One that did not ends the rollout.
    type: dict
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.moving
  - zdm.rollout.action.desk
"""

EXAMPLES = r"""
- name: How did it come out?
  zdm.rollout.finish:
    desk: "{{ zdm_watch.desk }}"
    deployed: {vm1: true, vm2: true}
  register: zdm_finished

- name: A release that was not promoted fails the play
  ansible.builtin.fail:
    msg: "{{ zdm_finished.msg }}"
  when: zdm_finished.outcome.outcome != 'promoted'
"""

RETURN = r"""
msg:
  description: The outcome in a sentence, with the reason and where the journal is.
  returned: always
  type: str
outcome:
  description: As of C(outcome.json), with C(outcome), C(reason), C(actor), C(steps), C(unconfirmed).
  returned: always
  type: dict
"""
