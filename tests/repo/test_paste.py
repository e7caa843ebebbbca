# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables that are measured come into the pages, and nothing else of a page changes."""

from __future__ import annotations

import pytest

from tools.paste import pasted

PAGE = "# Bench\n\n<!-- make bench -->\n%s<!-- end -->\n\nThe rest.\n"


def test_a_table_takes_the_place_of_the_last_one() -> None:
    once = pasted(PAGE % "", "bench", "| a |\n")
    assert once == PAGE % "\n| a |\n\n"
    assert pasted(once, "bench", "| b |") == PAGE % "\n| b |\n\n"


@pytest.mark.parametrize("page", ["", PAGE % "", "<!-- end -->\n<!-- make faults -->\n"])
def test_a_page_without_the_place_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="no <!-- make faults --> with a later <!-- end -->"):
        pasted(page, "faults", "| a |")
