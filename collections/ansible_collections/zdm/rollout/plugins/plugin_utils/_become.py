# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dialogue with sudo or su that comes before a program runs as another user.

Rules of this room: bytes in, bytes out; no pipe, no clock, nothing of Ansible. What is heard is compared with marks
that Ansible's become plugin gave (_transport.py); who reads and writes is _channel.py.

Theory of operation. The command says a marker on its standard output once it runs as the other user: all before it
is somebody else's talk, all after it is the agent's. Until then a prompt, on either stream, is answered with the
password, once. A second prompt, or words of refusal, end it: another try would only lock an account.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: The most that is listened to before the marker, in bytes of one stream.
MOST = 65536
#: How many lines of what was said go into an error.
LAST_LINES = 5


class BecomeError(Exception):
    """The other user's program will not run; the text has what was said."""


@dataclass(frozen=True)
class Become:
    """What to expect of a become method, and the password it may ask for (empty: it must not ask).

    ``prompt`` is a regular expression; ``incorrect`` and ``missing`` are texts in which it refuses.
    """

    method: str
    success: str
    prompt: str = ""
    incorrect: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    password: str = field(default="", repr=False)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Become:
        texts = {name: tuple(value[name]) for name in ("incorrect", "missing")}
        return cls(value["method"], value["success"], value["prompt"], **texts, password=value["password"])

    def to_json(self) -> dict[str, Any]:
        """For the watch's desk only: the password is in it."""
        return {
            "method": self.method,
            "success": self.success,
            "prompt": self.prompt,
            "incorrect": list(self.incorrect),
            "missing": list(self.missing),
            "password": self.password,
        }


class Dialogue:
    """``hear`` what comes, write what it returns, until it is ``over``."""

    def __init__(self, become: Become) -> None:
        self._become = become
        self._prompt = re.compile(become.prompt.encode(), re.IGNORECASE) if become.prompt else None
        #: By stream: what was not yet understood.
        self._heard = {"out": b"", "err": b""}
        self._all = {"out": b"", "err": b""}
        self._answered = False
        self.over = False

    def hear(self, stream: str, data: bytes) -> bytes:
        """What to write now (mostly nothing) after ``data`` came on ``out`` or ``err``; BecomeError at its failure."""
        if self.over:
            raise ValueError(f"the dialogue is over, {data!r} is for the agent")
        self._all[stream] += data
        self._heard[stream] += data
        heard = self._heard[stream]
        marker = self._become.success.encode()
        if stream == "out" and any(marker in line for line in heard.split(b"\n")[:-1]):
            self.over = True
            return b""
        for texts, what in ((self._become.incorrect, "the password is wrong"), (self._become.missing, NEEDED)):
            if any(text.encode() in heard for text in texts):
                raise self._error(what)
        if self._prompt and (found := self._prompt.search(heard)):
            self._heard[stream] = heard[found.end() :]
            if self._answered:
                raise self._error("it asks for the password a second time, so the first was wrong")
            self._answered = True
            return self._become.password.encode() + b"\n"
        if len(heard) > MOST:
            raise self._error(f"it said more than {MOST} bytes before the agent was started")
        return b""

    def end(self) -> str:
        """What it was about and what was said last, for an error: without prompts, and never with the password."""
        talk = b"\n".join(self._all.values())
        if self._prompt:
            talk = self._prompt.sub(b"\n", talk)
        lines = [line.strip() for line in talk.decode(errors="replace").splitlines()]
        said = [self._hidden(line) for line in lines if line and self._become.success not in line]
        return ": ".join([f"become method {self._become.method}", *said[-LAST_LINES:]])

    def _error(self, what: str) -> BecomeError:
        return BecomeError(f"{self.end()} ({what})")

    def _hidden(self, line: str) -> str:
        return line.replace(self._become.password, "********") if self._become.password else line


NEEDED = "it needs a password and was given none: set ansible_become_password or use --ask-become-pass"
