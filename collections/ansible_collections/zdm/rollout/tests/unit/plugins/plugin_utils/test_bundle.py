# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support bundle: what is in it, and what is not."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from ansible_collections.zdm.rollout.plugins.plugin_utils._bundle import MOST, bundled, document, secrets

NOTIFY: list[Any] = [
    {"command": ["/usr/local/bin/page", "--token", "T0PSECRET", "web"], "on": ["stuck"]},
    {"url": "https://hooks.example.com/services/T0PSECRET-2", "on": ["promoted"]},
]


def read(archive: bytes) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert {entry.mode for entry in tar} <= {0o600}
        return {entry.name: tar.extractfile(entry).read().decode() for entry in tar}  # type: ignore[union-attr]


def test_what_goes_in_comes_out() -> None:
    files = {"spec.yml": "service: web\n", "runs/r1/journal.jsonl": '{"event": "planned"}\n'}
    assert read(bundled(files, [])) == files
    assert bundled(files, []) == bundled(dict(reversed(files.items())), []), "the same files, the same bytes"


def test_a_secret_is_nowhere() -> None:
    text = "notify: /usr/local/bin/page --token T0PSECRET failed; https://hooks.example.com/services/T0PSECRET-2 too"
    (shown,) = read(bundled({"watch.log": text}, secrets(NOTIFY))).values()
    assert "T0PSECRET" not in shown and "services" not in shown
    assert "/usr/local/bin/page" in shown
    assert "T0PSECRET" in read(bundled({"watch.log": text}, []))["watch.log"], "the control"


def test_the_spec_says_whom_it_tells_and_no_more() -> None:
    told = document({"service": "web", "notify": NOTIFY})
    assert told == {
        "service": "web",
        "notify": [
            {"to": "/usr/local/bin/page", "on": ["stuck"]},
            {"to": "https://hooks.example.com", "on": ["promoted"]},
        ],
    }


@pytest.mark.parametrize("notify", [None, "T0PSECRET", ["T0PSECRET"], {"url": "T0PSECRET"}, [{"url": ["T0PSECRET"]}]])
def test_what_is_no_notification_shows_nothing_either(notify: Any) -> None:
    assert "T0PSECRET" not in str(document({"notify": notify}))
    secrets(notify)


def test_of_a_long_log_its_end_is_taken() -> None:
    (shown,) = read(bundled({"watch.log": "x" * MOST + "the end"}, [])).values()
    assert len(shown) == MOST and shown.endswith("the end")
