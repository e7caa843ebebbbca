# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A become method that needs a terminal, as machinectl does."""

from __future__ import annotations

from ansible.plugins.become.sudo import BecomeModule as Sudo

DOCUMENTATION = """
name: terminal
short_description: sudo that says it needs a terminal
description: [for tests]
author: the zdm authors (@zdm)
options:
  become_user: {description: [who], default: root, vars: [{name: ansible_become_user}]}
  become_exe: {description: [what], default: sudo, vars: [{name: ansible_become_exe}]}
  become_flags: {description: [how], default: -n, vars: [{name: ansible_become_flags}]}
  become_pass: {description: [password], vars: [{name: ansible_become_password}]}
"""


class BecomeModule(Sudo):  # type: ignore[misc]
    name = "terminal"
    require_tty = True
