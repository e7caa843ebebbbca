#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell of the agent on a router's host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_info
short_description: Tell of the agent on a router's host
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Says which agent file is installed and which Python would run it, which guard lives there, and what its records say.
options:
  state:
    description: Directory of the agent on the router, C(zdm_router.state).
    type: path
    default: /var/lib/zdm
attributes:
  check_mode:
    support: full
    description: It changes nothing, so check mode is the same.
"""

EXAMPLES = r"""
- name: Which rollouts has this router seen?
  zdm.rollout.agent_info:
  register: agent
"""

RETURN = r"""
digest:
  description: SHA-256 of the installed agent file; empty when there is none.
  returned: success
  type: str
python:
  description: The Python that this module ran with, and that runs the agent.
  returned: success
  type: str
  sample: /usr/bin/python3
root:
  description: Whether this user is root.
  returned: success
  type: bool
owner:
  description: The user whose the directory is; empty when there is none.
  returned: success
  type: str
  sample: root
guard:
  description:
    - The guard that lives there now. V(resident) is the service of the role P(zdm.rollout.router#role); V(session) was
      started by a rollout and ends with it; V(none) when there is none.
  returned: success
  type: str
  sample: resident
records:
  description: The agent's records, one a service; of whom to notify only the program or host.
  returned: success
  type: list
  elements: dict
"""

import hashlib
import os
import sys

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.zdm.rollout.plugins.module_utils import _guard_lock, _notify
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import DEFAULT_STATE, RecordError, Store


def main() -> None:
    module = AnsibleModule(
        argument_spec={"state": {"type": "path", "default": DEFAULT_STATE}}, supports_check_mode=True
    )
    store = Store(module.params["state"])
    try:
        records = [_notify.without_secrets(record.to_json()) for record in store.all()]
    except RecordError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(
            msg="%s cannot be read (%s): run it with --become, or set zdm_router.state to a directory of the login user"
            % (store.directory, error)
        )
    module.exit_json(
        changed=False,
        digest=digest(os.path.join(store.directory, "zdm-agent.pyz")),
        python=sys.executable,
        root=os.geteuid() == 0,
        owner=store.owner(),
        guard=_guard_lock.living(store.directory),
        records=records,
    )


def digest(path: str) -> str:
    """SHA-256 of a file; empty when there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
