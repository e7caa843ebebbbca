#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt
short_description: Say what proxies of your own have, and what to write for zdm to use them
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Puts together what M(zdm.rollout.traffic_info) found at each router, and what the inventory knows of the servers'
    hosts. It prints the description, and the lines of inventory and spec to paste.
  - Nothing is touched, and no file is written.
options:
  found:
    description: What M(zdm.rollout.traffic_info) returned without a service, by router.
    type: dict
    required: true
  backend:
    description: The backend to propose a service for; empty for the only one that it could be.
    type: str
    default: ""
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.reading
"""

EXAMPLES = r"""
- name: What is there
  zdm.rollout.traffic_info:
    router:
      socket: /run/haproxy/admin.sock
  register: zdm_found

- name: What to write
  zdm.rollout.adopt:
    found:
      lb1: "{{ zdm_found }}"
    backend: web
  run_once: true
"""

RETURN = r"""
lines:
  description: What was printed.
  returned: success
  type: list
  elements: str
backend:
  description: The backend that a service is proposed for; empty where it has to be named.
  returned: success
  type: str
open:
  description: What somebody has to decide or to make sure of.
  returned: success
  type: list
  elements: str
inventory:
  description: The lines of inventory, as YAML; empty where something has to be decided first.
  returned: success
  type: str
spec:
  description: The spec, as YAML; empty where something has to be decided first.
  returned: success
  type: str
"""
