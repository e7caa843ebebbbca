# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cable to a host of its own: a network namespace with one link, which can be cut and mended. Needs root."""

from __future__ import annotations

import itertools
import os
import subprocess

import pytest

from .programs import need

#: Addresses that are for tests of networks (RFC 2544).
ADDRESSES = "198.18.%d.%d"
_NUMBERS = itertools.count()


class Cable:
    """``address`` is the far end's. What is run with ``words`` before it runs at the far end."""

    def __init__(self) -> None:
        self._ip = need("ip")
        if os.getuid() != 0:
            pytest.skip("a network namespace needs root")
        number = next(_NUMBERS)
        self.name = "zdm-%d-%d" % (os.getpid(), number)
        self._near = "z%x-%d" % (os.getpid() % 0xFFFFF, number)
        block = (os.getpid() * 64 + number * 4) % 0x10000
        self._source, self.address = (ADDRESSES % (block // 256, block % 256 + end) for end in (1, 2))
        self._block = ADDRESSES % (block // 256, block % 256) + "/30"
        self._run("netns", "add", self.name)
        self._run("link", "add", self._near, "type", "veth", "peer", "name", "far", "netns", self.name)
        self._run("address", "add", self._source + "/30", "dev", self._near)
        self._run("link", "set", self._near, "up")
        for words in (("address", "add", self.address + "/30", "dev", "far"), ("link", "set", "far", "up")):
            self._run("-n", self.name, *words)
        self._run("-n", self.name, "link", "set", "lo", "up")

    @property
    def words(self) -> list[str]:
        return [self._ip, "netns", "exec", self.name]

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._run("-n", self.name, "link", "set", "far", "down")

    def mend(self) -> None:
        self._run("-n", self.name, "link", "set", "far", "up")

    def be_slow_to_repeat(self, seconds: int) -> None:
        """On this link TCP repeats nothing for so long, as it comes to by itself when it had no answers for a while."""
        self._run("route", "replace", self._block, "dev", self._near, "src", self._source, "rto_min", "%ds" % seconds)

    def close(self) -> None:
        self._run("netns", "delete", self.name)

    def _run(self, *words: str) -> None:
        subprocess.run([self._ip, *words], check=True)
