# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of ``connect`` over all ways, for each ansible-core; the tests of a core share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cores import tried

from .handed import HandedOver

#: A play over all ways is a second's work for each, on a machine that has other tests to run.
CORES = [
    pytest.param(core, marks=[pytest.mark.xdist_group("channels-%s" % core), pytest.mark.timeout(300)])
    for core in tried()
]


@pytest.fixture(scope="session", params=CORES)
def handed(request: pytest.FixtureRequest) -> Iterator[HandedOver]:
    """What is handed over by this ansible-core."""
    with HandedOver(request.param) as handed_over:
        yield handed_over
