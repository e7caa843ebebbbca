# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath expressions, as a check of an HTTP body expects them."""

from __future__ import annotations

try:
    import jmespath
    from jmespath.exceptions import JMESPathError
except ImportError:
    jmespath = None  # type: ignore[assignment]


def fault(expression: str) -> str:
    """What is wrong with an expression, in one line; empty when it can be evaluated."""
    if jmespath is None:
        return "it cannot be read without the Python package jmespath, pip install jmespath on the controller"
    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        return str(error).splitlines()[0]
    return ""
