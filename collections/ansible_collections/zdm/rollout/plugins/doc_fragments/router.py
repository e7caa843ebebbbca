# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that every module which speaks to a router shares."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  router:
    description:
      - The router's definition, as in the inventory's C(zdm_router).
      - C(type) and C(mode) are C(envoy) with C(managed), or C(haproxy) or C(nginx) with C(servers) or C(managed).
      - C(state) is the directory of the agent's records on the router, C(/var/lib/zdm) by default.
    type: dict
    required: true
  service:
    description:
      - The service as this router has to know it. The M(zdm.rollout.plan) action returns it for every router.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      environment:
        description: Name of the environment.
        type: str
        required: true
      pools:
        description: The members of each pool, as a list of mappings with C(name) (at the proxy), C(address), C(port).
        type: dict
        required: true
      health:
        description: How a member is asked whether it is well, with C(path), C(port), C(expect), C(timeout) in seconds.
        type: dict
      options:
        description: The router's own part, C(zdm_router.services.<name>), for instance C(backend).
        type: dict
        default: {}
"""
