# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """A rule broken at ``path:line``; ``text`` says what is there and what is allowed."""

    path: Path
    line: int
    text: str

    def located(self, root: Path) -> str:
        """For people and editors, ``path`` relative to ``root``."""
        return "%s:%d: %s" % (self.path.relative_to(root), self.line, self.text)
