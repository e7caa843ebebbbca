# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adoption: what a proxy of somebody's own configuration has, and what zdm would need to be told to use it.

Rules of this room: pure. A description (description.py) goes in, pools, hosts, YAML and sentences come out. What a
proxy's answers mean is its own files' business (``routers/_haproxy_describe.py``).
"""
