#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent
short_description: Install the agent on a router's host
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Brings this controller's agent file to the host when another one is there, or none. A rollout does that by itself
    (M(zdm.rollout.connect)); the role P(zdm.rollout.router#role) needs it before there is a rollout.
  - Where it is root's it also makes the link C(/usr/local/bin/zdm-agent).
  - A guard that runs goes on with the file that it was started with until it is restarted.
attributes:
  check_mode:
    support: full
    description: It says whether the file would be replaced.
options:
  router:
    description: The router's definition, the inventory's C(zdm_router). Only C(state) of it is used.
    type: dict
    required: true
  owner:
    description:
      - The user whose the agent and its directory are to be, who is there already.
      - Root does not install into a directory of another user, unless it is this one.
    type: str
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
"""

EXAMPLES = r"""
- name: The agent of this controller
  zdm.rollout.agent:
    router: "{{ zdm_router }}"
    owner: root
"""

RETURN = r"""
agent:
  description: Path of the agent file on the router.
  returned: success
  type: str
python:
  description: The Python on the router that runs the agent.
  returned: success
  type: str
guard:
  description: The guard that lives there; V(resident), V(session) or V(none).
  returned: success
  type: str
records:
  description: The agent's records, one a service, as M(zdm.rollout.agent_info) has them.
  returned: success
  type: list
  elements: dict
"""
