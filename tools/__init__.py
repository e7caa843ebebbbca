# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds, checks and describes zdm, and is no part of it."""

import sys
from pathlib import Path

# The collection is described as it lies here, whatever else is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "collections"))
