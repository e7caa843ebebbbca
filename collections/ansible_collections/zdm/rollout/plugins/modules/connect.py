#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connect
short_description: Hand the way to a router's agent to the watch
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Installs the agent on the router when it differs, and tells the watch how to reach it.
  - Never fails its host. A router without a channel is refused by the watch, by name.
  - Known are the connections C(local) and C(ssh), with every become method that needs no terminal. The watch opens a
    connection of its own. To a host that asks for a password it takes a session of the connection that Ansible keeps
    alive (ControlPersist).
  - The become password goes to the watch by its socket, and nowhere else.
attributes:
  check_mode:
    support: full
    description: It only says whether there is a way to the agent. Nothing is installed and no watch is asked.
options:
  router:
    description: The router's definition, the inventory's C(zdm_router).
    type: dict
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.desk
"""

EXAMPLES = r"""
- name: Hand over the way to this router
  zdm.rollout.connect:
    desk: "{{ hostvars.localhost.zdm_watch.desk }}"
    router: "{{ zdm_router }}"
"""

RETURN = r"""
msg:
  description: That the watch can reach the agent, or why it cannot.
  returned: always
  type: str
no_channel:
  description: Why the watch cannot reach the agent; empty when it can.
  returned: always
  type: str
agent:
  description: Path of the agent file on the router.
  returned: when the agent is installed
  type: str
"""
