# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals: where a check's numbers come from. One file a signal; each turns what was read into evidence.

Rules of this room: pure. The watch does the reading (through the routers' agents); time is an argument.
"""
