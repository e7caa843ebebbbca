# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An example may take as long as it likes: how busy a machine is proves nothing about what runs on it."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("zdm", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("zdm")
