# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The support bundle: what a stranger has to see to understand a rollout, in one archive, without its secrets.

Rules of this room: pure. Files in, the bytes of an archive out; the same files give the same bytes. Secrets are what
a spec's notifications have (contracts, section 1.3): their words and URLs are taken out of every file.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..module_utils._notify import named

#: What stands in a secret's place.
REMOVED = "[removed]"
#: Shorter words are no secrets, and would be found everywhere.
LEAST = 6
#: Of a text that is longer only so much of its end is taken, in bytes.
MOST = 4 * 1024 * 1024


def secrets(notify: Any) -> list[str]:
    """The words of a spec's ``notify``, as written, that nobody else is to see; the longest first."""
    entries = notify if isinstance(notify, Sequence) and not isinstance(notify, str) else []
    found = {word for entry in entries for word in _words(entry) if len(word) >= LEAST}
    return sorted(found, key=lambda word: (-len(word), word))


def _words(entry: Any) -> Iterator[str]:
    if isinstance(entry, Mapping):
        command, url = entry.get("command"), entry.get("url")
        if isinstance(command, Sequence) and not isinstance(command, str):
            yield from (str(word) for word in command[1:])
        yield from (str(text) for text in (command, url) if isinstance(text, str))


def document(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec as loaded, whose notifications tell no more than whom they tell."""
    notify = spec.get("notify")
    if not isinstance(notify, Sequence) or isinstance(notify, str):
        return {**spec, "notify": REMOVED} if notify is not None else dict(spec)
    told = [{"to": named(entry), "on": entry.get("on")} if isinstance(entry, Mapping) else REMOVED for entry in notify]
    return {**spec, "notify": told}


def bundled(files: Mapping[str, str], hidden: Iterable[str]) -> bytes:
    """A tar archive, gzipped, of these texts by path, without the hidden words."""
    hidden = list(hidden)
    archive = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=archive, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, text in sorted(files.items()):
            data = _without(text, hidden).encode()[-MOST:]
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def _without(text: str, hidden: Iterable[str]) -> str:
    for word in hidden:
        text = text.replace(word, REMOVED)
    return text
