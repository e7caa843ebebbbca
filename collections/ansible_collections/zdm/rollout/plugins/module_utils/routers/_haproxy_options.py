# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of a service of a managed HAProxy (contracts, section 1.2), checked and with its defaults.

Rules of this room: pure; a service goes in, Options or ValueError comes out. Whatever gets into a configuration is
looked at here: nothing may end its line or begin another.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

from .api import Service

KEYS = ("listen", "domains", "tls", "timeouts", "log")
#: Milliseconds.
TIMEOUTS = {"connect": 250, "client": 30000, "server": 15000, "keep_alive": 30000, "tunnel": 300000}

ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):(\d{1,5})\Z")
DOMAIN = re.compile(r"(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)\Z")
PATH = re.compile(r"/[A-Za-z0-9/._+:@-]+\Z")
NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
SERVER = re.compile(r"[A-Za-z0-9._:-]+\Z")
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z")
UNITS = (3600000, 60000, 1000, 1)


@dataclass(frozen=True)
class Options:
    """How one service is listened for. ``timeouts`` in milliseconds; an empty ``certificate`` is no TLS."""

    listen: str
    domains: Tuple[str, ...]
    certificate: str
    timeouts: Mapping[str, int]
    log: str


def read(service: Service) -> Options:
    """The options of ``service``; ValueError with the first thing that is wrong."""
    where = "zdm_router.services.%s" % service.name
    given = service.options
    for key in given:
        if key not in KEYS:
            raise ValueError("%s has %r: expected %s" % (where, key, ", ".join(KEYS)))
    tls = mapping(where + ".tls", given.get("tls"), ("certificate",))
    if given.get("tls") is not None:
        matching(where + ".tls.certificate", tls.get("certificate"), PATH, "the absolute path of a file")
    return Options(
        listen=listen(where + ".listen", given.get("listen")),
        domains=domains(where + ".domains", given.get("domains")),
        certificate=str(tls.get("certificate") or ""),
        timeouts=timeouts(where + ".timeouts", given.get("timeouts")),
        log=log(where + ".log", given.get("log")),
    )


def check_names(service: Service) -> None:
    """ValueError where the names or addresses of pools and members are none that HAProxy takes."""
    for pool, members in service.pools.items():
        matching("the pool's name", pool, NAME, "letters, digits, dots, - and _")
        if not members:
            raise ValueError("pool %s of service %s has no members: HAProxy would answer 503" % (pool, service.name))
        for member in members:
            matching("the name of a member of pool %s" % pool, member.name, SERVER, "letters, digits and ._:-")
            try:
                ipaddress.ip_address(member.address)
            except ValueError as error:
                raise ValueError(
                    "member %s of pool %s has the address %r: a managed HAProxy takes IP addresses, set zdm_address of "
                    "its host" % (member.name, pool, member.address)
                ) from error


def listen(where: str, written: Any) -> str:
    """An address and a port to listen at."""
    text = matching(where, written, ADDRESS, "ADDRESS:PORT, such as 0.0.0.0:80")
    address, _colon, port = text.rpartition(":")
    try:
        ipaddress.ip_address(address.strip("[]"))
    except ValueError as error:
        raise ValueError("%s is %r: expected an IP address before the port" % (where, written)) from error
    if not 0 < int(port) < 65536:
        raise ValueError("%s is %r: expected a port from 1 to 65535" % (where, written))
    return text


def milliseconds(where: str, written: Any) -> int:
    """A duration as people write it: seconds, or a text such as ``1h30m``, ``15s``, ``250ms``."""
    if isinstance(written, (int, float)) and not isinstance(written, bool):
        result = int(written * 1000)
    else:
        found = DURATION.match(written) if isinstance(written, str) else None
        result = sum(int(part or 0) * unit for part, unit in zip(found.groups(), UNITS)) if found else 0
    if not 0 < result <= 86400000:
        raise ValueError("%s is %r: expected a duration of up to a day, such as 250ms, 15s or 1h30m" % (where, written))
    return result


def timeouts(where: str, written: Any) -> Dict[str, int]:
    given = mapping(where, written, tuple(TIMEOUTS))
    return {
        name: milliseconds("%s.%s" % (where, name), given[name]) if name in given else default
        for name, default in TIMEOUTS.items()
    }


def domains(where: str, written: Any) -> Tuple[str, ...]:
    """Lower case; none where all are answered."""
    if written is None:
        return ()
    if not isinstance(written, (list, tuple)):
        raise ValueError("%s is %r: expected a list of host names" % (where, written))
    names = tuple(matching(where, name, DOMAIN, "host names, such as example.com or *.example.com") for name in written)
    return () if "*" in names else tuple(name.lower() for name in names)


def log(where: str, written: Any) -> str:
    if written is None:
        return ""
    if isinstance(written, str) and PATH.match(written):
        return written
    try:
        return listen(where, written)
    except ValueError as error:
        raise ValueError("%s is %r: expected a socket's path or ADDRESS:PORT" % (where, written)) from error


def matching(where: str, written: Any, pattern: Any, expected: str) -> str:
    if not isinstance(written, str) or not pattern.match(written):
        raise ValueError("%s is %r: expected %s" % (where, written, expected))
    return str(written)


def mapping(where: str, written: Any, keys: Tuple[str, ...]) -> Mapping[str, Any]:
    if written is None:
        return {}
    if not isinstance(written, Mapping):
        raise ValueError("%s is %r: expected a mapping with %s" % (where, written, ", ".join(keys)))
    for key in written:
        if key not in keys:
            raise ValueError("%s has %r: expected %s" % (where, key, ", ".join(keys)))
    return written
