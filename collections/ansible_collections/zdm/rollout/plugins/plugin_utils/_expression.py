# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath expressions, as a check of an HTTP body expects them."""

from __future__ import annotations

import json
from typing import Any

try:
    import jmespath
except ImportError:  # then a spec with an expression is refused
    jmespath = None  # type: ignore[assignment]

#: What jmespath raises: its own errors (all of them ValueError), and Python's where a text meets a number, infinity or
#: no end of brackets.
_FAULTS = (ArithmeticError, RecursionError, TypeError, ValueError)


def fault(expression: str) -> str:
    """What is wrong with an expression, in one line; empty when it can be evaluated."""
    if jmespath is None:
        return "it cannot be read without the Python package jmespath, pip install jmespath on the controller"
    try:
        jmespath.compile(expression)
    except _FAULTS as error:
        return str(error).splitlines()[0]
    return ""


def untrue(expression: str, document: Any) -> str:
    """Why an expression is not true of a document, in one line; empty when it is true, and nothing but true."""
    try:
        found = jmespath.search(expression, document)
        return "" if found is True else f"{expression!r} is {json.dumps(found)}, expected true"
    except _FAULTS as error:
        return f"{expression!r} cannot be evaluated: {str(error).splitlines()[0]}"
