#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drain
short_description: Have the watch wait for what is under way at canary
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Before canary's members get the release, requests and connections that are still under way there, such as a download
    that began while they served, have C(drain_timeout) of the spec to end.
  - It returns when nothing is under way any more, when the time is over, or when the rollout has ended. A router that
    does not tell what is under way is not waited for.
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.moving
  - zdm.rollout.action.desk
"""

EXAMPLES = r"""
- name: Let downloads end
  zdm.rollout.drain:
    desk: "{{ zdm_watch.desk }}"
"""

RETURN = r"""
left:
  description: How much is still under way at canary's members, by router; those with nothing are left out.
  returned: success
  type: dict
"""
