#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Refuse a play that would cut off a router
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Ends the play when C(--limit) or a strategy other than C(linear) would leave a router out of what follows.
  - With C(--limit) Ansible finds no hosts for the other plays and ends with success although nothing was done. So the
    first play of every playbook is on all hosts and runs this once.
  - Nothing happens without a spec either.
options:
  spec:
    description: The variable C(zdm_spec), or nothing where it is not given, which is refused.
    type: str
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.reading
"""

EXAMPLES = r"""
- name: Refuse what would cut off a router
  zdm.rollout.preflight:
    spec: "{{ zdm_spec | default('') }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: That nothing cuts off a router, or what does and what to do instead.
  returned: always
  type: str
by:
  description: Who runs the play, as C(user@host), with the CI job where there is one.
  returned: success
  type: str
id:
  description: A name for this run of the play, for what it leaves at several routers. It sorts by time.
  returned: success
  type: str
"""
