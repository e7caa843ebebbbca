# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to others than proxies: a GET to a member, a POST to people.

What needs it imports it where it is used: a guard lives for long, and most never do either.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, List, Tuple


def get(address: str, port: int, path: str, timeout: float, limit: int) -> Tuple[int, str]:
    """Status and at most ``limit`` bytes of the body, within ``timeout`` seconds in all; OSError otherwise."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    overdue = threading.Event()

    def cut(line: socket.socket) -> None:
        overdue.set()
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    connection.connect()
    # A socket's own time-out begins anew with every byte.
    timer = threading.Timer(timeout, cut, [connection.sock])
    timer.start()
    try:
        connection.request("GET", path, headers={"User-Agent": "zdm-agent", "Connection": "close"})
        response = connection.getresponse()
        body = response.read(limit).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        if overdue.is_set():
            raise socket.timeout from None
        raise error if isinstance(error, OSError) else OSError(str(error) or type(error).__name__) from None
    finally:
        timer.cancel()
        connection.close()
    if overdue.is_set():
        raise socket.timeout
    return response.status, body


def post(url: str, text: bytes, timeout: float) -> str:
    """'' when it was taken, or why not, for people, without a part of the URL: it may be secret."""
    # In a thread of its own: a name that is looked up and a server that drips know no timeout.
    said: List[str] = []
    thread = threading.Thread(target=lambda: said.append(_posted(url, text, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return said[0] if said else "did not answer within %g s" % timeout


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET of another page, which then says that all is well."""

    def redirect_request(self, *dummy: Any) -> None:
        return None


def _posted(url: str, text: bytes, timeout: float) -> str:
    headers = {"Content-Type": "application/json", "User-Agent": "zdm"}
    try:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            return "cannot be told: expected an http or https URL"
        request = urllib.request.Request(url, text, headers, method="POST")
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        redirect = ", a redirect, which is not followed" if 300 <= error.code < 400 else ""
        return "answered %d%s" % (error.code, redirect)
    except urllib.error.URLError as error:
        return "cannot be told: %s" % _why(error.reason)
    except OSError as error:
        return "cannot be told: %s" % _why(error)
    except (http.client.HTTPException, ValueError) as error:  # their texts have parts of the URL
        return "cannot be told: %s" % type(error).__name__


def _why(reason: Any) -> str:
    if isinstance(reason, OSError):
        return reason.strerror or str(reason) or type(reason).__name__
    return "it is not a URL that can be reached"
