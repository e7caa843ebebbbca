#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Pack what somebody else has to see to understand a rollout
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Writes an archive, readable by its owner only, of the versions, the spec, the inventory as zdm reads it, the
    journals, outcomes and logs of the last three runs on this controller, and what the routers answered.
  - Of the spec's C(notify) it has only whom it tells; its words and URLs are taken out of all files.
options:
  spec:
    description: Path of the spec on the controller.
    type: path
    required: true
  traffic:
    description: What M(zdm.rollout.traffic_info) returned, by router.
    type: dict
    required: true
  agents:
    description: What M(zdm.rollout.agent_info) returned, by router.
    type: dict
    required: true
  path:
    description: Where the archive goes; empty for C(zdm-bundle-SERVICE-TIME.tar.gz) in the working directory.
    type: path
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
attributes:
  check_mode:
    support: full
    description: Nothing is written.
"""

EXAMPLES = r"""
- name: Pack it
  zdm.rollout.bundle:
    spec: services/web.yml
    traffic: {}
    agents: {}
    path: /tmp/for-the-vendor.tar.gz
"""

RETURN = r"""
path:
  description: Where the archive is.
  returned: success
  type: str
files:
  description: The files in it.
  returned: success
  type: list
  elements: str
"""
