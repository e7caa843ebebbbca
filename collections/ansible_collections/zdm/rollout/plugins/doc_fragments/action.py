# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What zdm's actions have in common: where they run, and the watch's desk."""

from __future__ import annotations


class ModuleDocFragment:
    """``zdm.rollout.action``, ``.reading`` or ``.moving`` (check mode), ``.desk``."""

    DOCUMENTATION = r"""
attributes:
  action:
    support: full
    description: It runs on the controller.
"""

    READING = r"""
attributes:
  check_mode:
    support: full
    description: It changes nothing, so check mode is the same.
"""

    MOVING = r"""
attributes:
  check_mode:
    support: none
    description: A rollout in check mode is the plan playbook; this task is skipped.
"""

    DESK = r"""
options:
  desk:
    description: The watch's socket, as M(zdm.rollout.watch) returned it.
    type: path
    required: true
"""
