# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for ansible-test's get-pip script: ensurepip, then pip installs what the arguments name.

``--no-setuptools`` and ``--no-wheel`` are get-pip's own; ensurepip brings neither on the Pythons that count.
"""

from __future__ import annotations

import subprocess
import sys

OWN = ("--no-setuptools", "--no-wheel")

# As processes of their own: ensurepip wipes pip's configuration out of its environment, pip has to have it.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *(a for a in sys.argv[1:] if a not in OWN)])
