#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: watch
short_description: Start the watch of a rollout, or have it open
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - With O(spec) it starts the one process of a run on the controller, which outlives Ansible's workers. It belongs to
    this ansible-playbook; when that ends, however it does, the watch brings all traffic back and ends too.
  - With O(desk) the watch opens the channels that M(zdm.rollout.connect) handed over, makes the plan and takes the
    leases. When a router refuses, nothing was moved; the task does not fail but returns RV(outcome), so that the
    statistic C(zdm_outcome) is set.
options:
  spec:
    description: Path of the spec on the controller.
    type: path
    required: false
  release:
    description: The release to move to; empty for the one in the spec.
    type: str
    required: false
  verb:
    description:
      - What it is for. V(undo) and V(retry) find their release in the routers' records. With V(undo) O(release) may
        name one.
      - V(undo) needs no steps for a release within the spec's C(rollback_window).
    type: str
    choices: [rollout, undo, retry]
    default: rollout
    required: false
  again:
    description: Roll out also the release that serves already, which else changes nothing.
    type: bool
    default: false
    required: false
  unfreeze:
    description:
      - Why this rollout starts although one of the spec's C(freeze) windows is in force. It is journalled.
      - V(undo) needs none.
    type: str
    default: ""
    required: false
  desk:
    description: The watch's socket, as M(zdm.rollout.watch) returned it.
    type: path
    required: false
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.moving
"""

EXAMPLES = r"""
- name: Start the watch
  zdm.rollout.watch:
    spec: services/web.yml
    release: "2.10"
  register: zdm_watch

- name: Plan and lock
  zdm.rollout.watch:
    desk: "{{ zdm_watch.desk }}"
  register: zdm_open

- name: A refused rollout fails the play
  ansible.builtin.fail:
    msg: "{{ zdm_open.msg }}"
  when: zdm_open.outcome is defined
"""

RETURN = r"""
desk:
  description: The watch's socket, for the other tasks.
  returned: with O(spec)
  type: str
run:
  description: Name of the run.
  returned: with O(spec)
  type: str
directory:
  description: Where the run's journal and outcome are.
  returned: with O(spec)
  type: str
routers:
  description: The routers that take part.
  returned: with O(spec)
  type: list
  elements: str
members:
  description: The members of each pool, inventory host to name at the proxy.
  returned: with O(spec)
  type: dict
deploy:
  description: Absolute path of the deploy hook's tasks; empty when there is none, or nothing for it to do.
  returned: with O(desk), unless refused
  type: str
plan:
  description: The plan, as of M(zdm.rollout.plan).
  returned: with O(desk), unless refused
  type: dict
outcome:
  description:
    - As of C(outcome.json), with the C(reason). C(outcome) is C(refused), or C(unchanged) where there is nothing to do.
  returned: with O(desk), when nothing is to be moved
  type: dict
timeline:
  description: The plan for people, a line each.
  returned: with O(desk), unless refused
  type: list
  elements: str
"""
