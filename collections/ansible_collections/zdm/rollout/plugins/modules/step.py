#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: step
short_description: Have the watch make one step of a rollout
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Raises on all routers, reads back, holds and judges. It returns when the step has passed, or when the rollout has
    ended because it did not. What happened is data; the task itself does not fail for it.
options:
  index:
    description: Which step of the plan, from 0.
    type: int
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.moving
  - zdm.rollout.action.desk
"""

EXAMPLES = r"""
- name: The first step
  zdm.rollout.step:
    desk: "{{ zdm_watch.desk }}"
    index: 0
  register: zdm_step
"""

RETURN = r"""
outcome:
  description: The outcome so far; C(outcome) is C(waiting) after a step that passed, C(promoted) after the last one.
  returned: success
  type: dict
"""
