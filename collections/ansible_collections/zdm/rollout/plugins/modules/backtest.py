#!/usr/bin/python
# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backtest
short_description: When a spec's checks would have acted on recorded requests
version_added: 0.1.0
author: the zdm authors (@zdm)
description:
  - Puts records of what canary and stable had before the checks of a spec, as a rollout would. It says when that would
    have turned back, and what would have failed until then, beside the defaults of Flagger and of Argo Rollouts.
  - Checks of the routers' errors are tested; records have nothing else.
  - Nothing is touched.
options:
  spec:
    description: Path of the spec on the controller.
    type: path
    required: true
  records:
    description:
      - Path of the records on the controller. A CSV file or JSON lines with C(t), C(canary_requests),
        C(canary_failures), C(stable_requests), C(stable_failures) and, where it is known, C(weight); or the
        C(journal.jsonl) of an earlier run.
      - Empty where records are generated.
    type: path
    required: true
  generate:
    description:
      - Records of a service with a fault put in; empty where they are read from a file.
      - C(rate) is requests a second, C(share) canary's part in percent (5), C(good) what fails at stable in percent
        (0.1), C(bad) what fails at canary from C(onset) (0s) on; C(duration) (1h), C(every) (1s) and C(seed) (1).
    type: dict
    required: true
extends_documentation_fragment:
  - zdm.rollout.action
  - zdm.rollout.action.reading
"""

EXAMPLES = r"""
- name: Would our checks find 2 % errors at 40 requests/s?
  zdm.rollout.backtest:
    spec: services/web.yml
    records: ""
    generate:
      rate: 40
      bad: 2
      onset: 10m
  register: tested

- name: What would they have made of last week's rollout?
  zdm.rollout.backtest:
    spec: services/web.yml
    records: records/last-week.csv
    generate: {}
"""

RETURN = r"""
acts:
  description: What each judge does, zdm's first.
  returned: success
  type: list
  elements: dict
  contains:
    judge:
      description: Who judges.
      type: str
      returned: always
    after:
      description: Seconds until it turns back; null for never.
      type: float
      returned: always
    requests:
      description: Requests that canary had until then.
      type: int
      returned: always
    failures:
      description: How many of them failed.
      type: int
      returned: always
    reason:
      description: zdm's reason; empty of the others.
      type: str
      returned: always
timeline:
  description: The same for people, a line each.
  returned: success
  type: list
  elements: str
"""
