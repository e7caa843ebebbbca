#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave an order for a rollout at a router."""

from __future__ import annotations

DOCUMENTATION = r"""
module: order
short_description: Leave an order for a rollout at a router
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Aborts, pauses, resumes, promotes or parks the rollout of a service that is under way, or lets none start. Most
    people want the playbooks of these names, which do it on all routers and say what came of it.
  - V(abort) is done here and at once. All traffic of this router goes back to the stable pool, which needs neither
    the controller nor the rollout to be alive. A rollout that lives then takes back the other routers too.
  - V(lock), V(unlock) and V(finish) are done here and at once as well. One router that is locked refuses the rollout.
    A guard of an older zdm that lives there would forget a lock, or what was let go, so these two are refused then.
  - The others are kept for the rollout, which hears of them within a second. One router that takes the order is enough.
options:
  router:
    description: The router's definition, the variable C(zdm_router) of its host.
    type: dict
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
  environment:
    description: Name of the environment.
    type: str
    required: true
  verb:
    description: What to do.
    type: str
    required: true
    choices:
      abort: all traffic back to stable
      pause: nothing is raised, no hold grows; a release that fails still goes back
      resume: go on where it was paused
      park: >-
        the run ends, and resident guards keep the share; a rollout of the same release takes it up (noted by the
        rollout as not done where that cannot be)
      promote: end a pause, and the hold of the present step; approve it; a release that fails still goes back
      lock: no rollout of the service starts at this router; one that is under way is not touched
      unlock: one may start again; anybody may say so
      finish: the pool without traffic is let go, so that nobody goes back to what it had
      promote_full: the same for all steps to come, which are made without holds and approvals
  by:
    description: Who gives the order, for the journal and the record.
    type: str
    required: true
  reason:
    description: Why, for those who read it later.
    type: str
    default: ""
  id:
    description:
      - Name of the order, by which it counts once though it is left at several routers.
      - A new one by default, which is right for one router alone.
    type: str
  drain:
    description:
      - With V(finish), for so many seconds what is under way at the pool without traffic may end, before it is let go.
      - A router that does not tell what is under way is not waited for.
    type: float
    default: 0
  even_if_sick:
    description: Abort though the stable pool has no healthy member. Its traffic will then fail.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Shows what would be changed, and changes nothing.
  diff_mode:
    support: full
    description: Shows each file or weight before and after an abort, and the orders that are kept.
seealso:
  - module: zdm.rollout.traffic_info
"""

EXAMPLES = r"""
- name: Take the new release off this router
  zdm.rollout.order:
    router: "{{ zdm_router }}"
    service: web
    environment: prod
    verb: abort
    by: ann@desk
    reason: the shop's owner calls

- name: Hold the rollout until somebody has looked at it
  zdm.rollout.order:
    router: "{{ zdm_router }}"
    service: web
    environment: prod
    verb: pause
    by: ann@desk
    id: "{{ job_id }}-pause"
"""

RETURN = r"""
msg:
  description: What was done, for people.
  returned: always
  type: str
  sample: "web: all traffic is at blue: blue 100 %, green 0 %"
left:
  description: That the order was taken, or was there already.
  returned: success
  type: bool
under_way:
  description:
    - With O(verb=finish), how much is still under way at the pool that is let go.
    - V(0) where the router does not tell.
  returned: success
  type: int
traffic:
  description: What is in force after an abort (in check mode what is now), as of M(zdm.rollout.traffic_info).
  returned: with O(verb=abort)
  type: dict
record:
  description: The agent's record of the service (in check mode what it would be).
  returned: success
  type: dict
actions:
  description: What was changed, or in check mode would be, with C(thing), C(before), C(after).
  returned: success
  type: list
  elements: dict
"""

import datetime
import uuid

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.zdm.rollout.plugins.module_utils import _notify, _split
from ansible_collections.zdm.rollout.plugins.module_utils._arguments import ROUTER
from ansible_collections.zdm.rollout.plugins.module_utils._difference import differences
from ansible_collections.zdm.rollout.plugins.module_utils.agent.gate import Gate
from ansible_collections.zdm.rollout.plugins.module_utils.agent.lease import LeaseError
from ansible_collections.zdm.rollout.plugins.module_utils.agent.neighbour import refuse_forgotten
from ansible_collections.zdm.rollout.plugins.module_utils.agent.orders import FINISH, LOCK, UNLOCK, VERBS, Left, leave
from ansible_collections.zdm.rollout.plugins.module_utils.agent.record import (
    RecordError,
    Store,
    lock_told,
    retired_told,
)
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import RouterError, Sick


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "router": ROUTER,
            "service": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "verb": {"type": "str", "required": True, "choices": list(VERBS)},
            "by": {"type": "str", "required": True},
            "reason": {"type": "str", "default": ""},
            "id": {"type": "str"},
            "drain": {"type": "float", "default": 0.0},
            "even_if_sick": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    store = Store.of(given["router"])
    try:
        refuse_forgotten(store, given["verb"])
        left = leave(
            store,
            Gate(),
            given["environment"],
            given["service"],
            given["verb"],
            given["by"],
            given["id"] or uuid.uuid4().hex,
            datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
            reason=given["reason"],
            even_if_sick=given["even_if_sick"],
            drain_seconds=given["drain"],
            check=module.check_mode,
        )
    except Sick as error:
        word = "'zdm-agent revert %s --even-if-sick' on this router (here: even_if_sick) is your own word against it"
        module.fail_json(msg="%s; %s" % (error, word % given["service"]))
    except (RouterError, RecordError, LeaseError, ValueError) as error:
        module.fail_json(msg=str(error))
    traffic = {"traffic": left.traffic.to_json()} if left.traffic else {}
    module.exit_json(
        msg=told(given["verb"], left, module.check_mode),
        left=True,
        under_way=left.under_way,
        record=_notify.without_secrets(left.record.to_json()),
        **traffic,
        **differences(left.changes),
    )


def told(verb: str, left: Left, check: bool) -> str:
    """What came of the order, for people."""
    record, lease = left.record, left.record.lease
    if left.traffic is not None:
        shown = _split.describe(left.traffic.split)
        if check:
            return "%s: all traffic would go to %s; it has %s now" % (record.name, lease.stable, shown)
        return "%s: all traffic is at %s: %s" % (record.name, lease.stable, shown)
    if verb in (LOCK, UNLOCK):
        return lock_told(record) if record.locked else "%s: a rollout may start here" % record.name
    if verb == FINISH:
        cut = "; %d under way there are cut when its members stop" % left.under_way if left.under_way else ""
        return "%s: %s%s" % (record.name, retired_told(record), cut)
    way = "would be left" if check else "is left" if left.changes else "was left already"
    return "%s: %s %s for run %s of %s" % (record.name, verb, way, lease.run, lease.owner)


if __name__ == "__main__":
    main()
