#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: retire
short_description: Find the pool without traffic that may be let go
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Fails unless all routers send all traffic to the same pool, no rollout of the service is under way, and the last one
    ended at least C(keep_old_for) of the spec ago.
  - Nothing is touched. The playbook C(zdm.playbooks.finish) lets the pool go then.
options:
  spec:
    description: Path of the spec on the controller.
    type: path
    required: true
  live:
    description: What M(zdm.rollout.traffic_info) returned, by router.
    type: dict
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.reading
"""

EXAMPLES = r"""
- name: Which pool is it?
  zdm.rollout.retire:
    spec: services/web.yml
    live: {}
  register: going
"""

RETURN = r"""
pool:
  description: The pool.
  returned: success
  type: str
members:
  description: Its members, host to the name at the proxy.
  returned: success
  type: dict
drain:
  description: C(drain_timeout) of the spec, in seconds.
  returned: success
  type: float
tasks:
  description: Absolute path of the retire hook's tasks; empty when there is none.
  returned: success
  type: str
"""
