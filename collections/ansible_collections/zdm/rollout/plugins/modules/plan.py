#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
short_description: Plan a rollout from a spec and the live routers
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Reads and checks the spec, and finds routers and members in the inventory. With O(live) it also makes the plan, by
    the same function as the rollout.
  - Nothing is touched.
options:
  spec:
    description: Path of the spec on the controller.
    type: path
    required: true
  release:
    description: The release to move to; empty for the one in the spec.
    type: str
    required: true
  verb:
    description:
      - What it is for. V(undo) and V(retry) find their release in the routers' records. With V(undo) O(release) may
        name one.
      - V(undo) needs no steps for a release within the spec's C(rollback_window).
    type: str
    choices: [rollout, undo, retry]
    default: rollout
  again:
    description: Roll out also the release that serves already, which else changes nothing.
    type: bool
    default: false
  live:
    description: What M(zdm.rollout.traffic_info) returned, by router. Empty to only read the spec.
    type: dict
    required: true
  no_channel:
    description:
      - What M(zdm.rollout.connect) returned as RV(zdm.rollout.connect#module:no_channel) in check mode, by router.
        A router with a text is refused, as the rollout would refuse it.
      - Required with O(live).
    type: dict
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.reading
"""

EXAMPLES = r"""
- name: Which routers and members does the spec mean?
  zdm.rollout.plan:
    spec: services/web.yml
    release: ""
    live: {}
  register: spec
"""

RETURN = r"""
service:
  description: The service's name.
  returned: success
  type: str
environment:
  description: The environment's name.
  returned: success
  type: str
routers:
  description: The routers that take part.
  returned: success
  type: list
  elements: str
services:
  description: The service as each router has to know it, for M(zdm.rollout.traffic) and M(zdm.rollout.traffic_info).
  returned: success
  type: dict
deploy:
  description: Absolute path of the deploy hook's tasks; empty when there is none.
  returned: success
  type: str
plan:
  description: The plan, with C(stable), C(canary), C(steps), C(routers) and C(warnings).
  returned: when live is given
  type: dict
timeline:
  description: The plan for people, a line each.
  returned: when live is given
  type: list
  elements: str
first_split:
  description: The split of the first step.
  returned: when live is given
  type: dict
"""
