# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's runtime socket: commands out, their whole answer back, or Unreachable.

One connection an exchange, as HAProxy wants it without ``prompt``: one line of commands, answered, closed by HAProxy.
What an answer means is none of this file's business.
"""

from __future__ import annotations

import socket
import time
from typing import List, Sequence

from .api import Unreachable

#: HAProxy reads a line of commands into one buffer (``tune.bufsize``, 16 kB by default, some of it reserved).
LINE_LIMIT = 8000


class RuntimeSocket:
    """The socket at ``path``; ``timeout`` in seconds is for a whole exchange."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        self.path = path
        self.timeout = timeout

    def ask(self, commands: Sequence[str]) -> str:
        """The answers to ``commands``, sent in one write; each ends with an empty line. Raises Unreachable."""
        line = ";".join(commands) + "\n"
        deadline = time.monotonic() + self.timeout
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(self.timeout)
                connection.connect(self.path)
                connection.sendall(line.encode())
                return read_to_end(connection, deadline)
        except FileNotFoundError as error:
            raise Unreachable(
                "HAProxy's runtime socket %s does not exist: start HAProxy, add `stats socket %s mode 660 level admin` "
                "to the section `global` of its configuration, or name the socket it has as zdm_router.socket"
                % (self.path, self.path)
            ) from error
        except PermissionError as error:
            raise Unreachable(
                "HAProxy's runtime socket %s may not be opened by this user: run the agent as root, or put its user "
                "into the group that the line `stats socket` names" % self.path
            ) from error
        except ConnectionRefusedError as error:
            raise Unreachable(
                "nobody listens at HAProxy's runtime socket %s: HAProxy is not running" % self.path
            ) from error
        except socket.timeout as error:
            raise Unreachable(
                "HAProxy did not answer at its runtime socket %s within %g s" % (self.path, self.timeout)
            ) from error
        except OSError as error:
            raise Unreachable("HAProxy's runtime socket %s: %s" % (self.path, error)) from error


def read_to_end(connection: socket.socket, deadline: float) -> str:
    """What is sent until the other side closes; socket.timeout at the deadline (monotonic)."""
    chunks: List[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        connection.settimeout(left)
        chunk = connection.recv(65536)
        if not chunk:
            return b"".join(chunks).decode("utf-8", "replace")
        chunks.append(chunk)


def packed(commands: Sequence[str]) -> List[List[str]]:
    """``commands`` in as few lines as HAProxy can read, in their order."""
    result: List[List[str]] = []
    length = LINE_LIMIT
    for command in commands:
        length += len(command) + 1
        if length > LINE_LIMIT:
            result.append([])
            length = len(command) + 1
        result[-1].append(command)
    return result
