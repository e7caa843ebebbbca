# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in."""

FORMAT = 'log_format zdm escape=json \'{"t":$msec,"v":"$zdm_service","a":"$upstream_addr"}\';'
