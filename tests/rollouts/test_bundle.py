# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support bundle of a service after a rollout, with a router that cannot be read."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from tests.support.fleet import Fleet

SECRET = "T0PSECRET-token"


def test_it_has_what_happened_and_no_secret(fleet: Fleet) -> None:
    fleet.spec.update(
        steps=[{"weight": 50}, {"weight": 100}],
        checks={},
        notify=[{"command": ["/bin/false", "--token", SECRET], "on": ["promoted"]}],
    )
    assert fleet.play("rollout").code == 0
    path = fleet.directory / "bundle.tar.gz"
    looked = fleet.play("bundle", "-e", "zdm_bundle=%s" % path, "--check")
    assert (looked.code, path.exists()) == (0, False), looked.output
    ended = fleet.play("bundle", "-e", "zdm_bundle=%s" % path)
    assert ended.code == 0, ended.output
    assert path.stat().st_mode & 0o777 == 0o600
    files: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        for entry in tar:
            file: Any = tar.extractfile(entry)
            files[entry.name] = file.read().decode()
    run = "runs/%s" % fleet.runs()[-1].name
    for name in ("versions.json", "spec.yml", "fleet.json", run + "/journal.jsonl", run + "/outcome.json"):
        assert files[name], name
    assert json.loads(files["routers/lb1/traffic.json"])["traffic"]["split"] == {"blue": 0.0, "green": 100.0}
    assert json.loads(files["routers/lb1/agents.json"])["digest"]
    assert not [name for name, text in files.items() if SECRET in text]
    assert "/bin/false" in files["spec.yml"]
