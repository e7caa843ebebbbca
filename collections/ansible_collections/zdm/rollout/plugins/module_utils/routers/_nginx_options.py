# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of a service of a managed nginx (contracts, section 1.2), checked and with its defaults.

Rules of this room: pure; a service goes in, Options or ValueError comes out. Whatever gets into a configuration is
looked at here: nothing may end its line or begin another. What HAProxy has too is read alike (_haproxy_options.py).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Mapping, Tuple

from . import _haproxy_options as common
from .api import Service
from .rules import COOKIE

KEYS = ("listen", "domains", "tls", "timeouts", "log", "sticky", "retry_non_idempotent")
#: Names that nginx makes variables of: it drops a header whose name has an underscore.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+\Z")
COOKIE_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
RULE_COOKIE = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
#: It is a directory too, and what the shell and ``include`` do not find must not be a service.
SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


@dataclass(frozen=True)
class Options:
    """How one service is listened for. ``timeouts`` in milliseconds; an empty ``certificate`` is no TLS. ``cookie``: of
    whose value the bucket is made (empty: of the request), given out for ``ttl`` seconds."""

    listen: str
    domains: Tuple[str, ...]
    certificate: str
    timeouts: Mapping[str, int]
    log: str
    cookie: str
    ttl: int
    non_idempotent: bool


def read(service: Service) -> Options:
    """The options of ``service``; ValueError with the first thing that is wrong."""
    where = "zdm_router.services.%s" % service.name
    given = common.mapping(where, service.options, KEYS)
    tls = common.mapping(where + ".tls", given.get("tls"), ("certificate",))
    if given.get("tls") is not None:
        common.matching(where + ".tls.certificate", tls.get("certificate"), common.PATH, "the absolute path of a file")
    sticky = common.mapping(where + ".sticky", given.get("sticky"), ("cookie", "ttl"))
    if given.get("sticky") is not None:
        expected = "the name of a cookie: letters, digits and _"
        common.matching(where + ".sticky.cookie", sticky.get("cookie"), COOKIE_NAME, expected)
    return Options(
        listen=common.listen(where + ".listen", given.get("listen")),
        domains=common.domains(where + ".domains", given.get("domains")),
        certificate=str(tls.get("certificate") or ""),
        timeouts=common.timeouts(where + ".timeouts", given.get("timeouts")),
        log=common.log(where + ".log", given.get("log")),
        cookie=str(sticky.get("cookie") or ""),
        ttl=common.milliseconds(where + ".sticky.ttl", sticky.get("ttl", 3600)) // 1000,
        non_idempotent=_flag(where + ".retry_non_idempotent", given.get("retry_non_idempotent", False)),
    )


def check_names(service: Service) -> None:
    """ValueError where the names or addresses of service, pools, members and rules are none that nginx takes."""
    expected = "letters, digits, dots, - and _, the first a letter or digit"
    common.matching("the service's name", service.name, SERVICE, expected)
    for pool, members in service.pools.items():
        common.matching("the pool's name", pool, SERVICE, expected)
        if not members:
            raise ValueError("pool %s of service %s has no members: nginx would not start" % (pool, service.name))
        for member in members:
            where = "the name of a member of pool %s" % pool
            common.matching(where, member.name, common.SERVER, "letters, digits and ._:-")
            try:
                ipaddress.ip_address(member.address)
            except ValueError as error:
                raise ValueError(
                    "member %s of pool %s has the address %r: a managed nginx takes IP addresses, set zdm_address of "
                    "its host" % (member.name, pool, member.address)
                ) from error
    for rule in [rule for rules in service.rules.values() for rule in rules]:
        if rule.kind == COOKIE:
            common.matching("the cookie of a rule", rule.name, RULE_COOKIE, "the name of a cookie")
        else:
            expected = "letters, digits and -: nginx drops headers with other signs"
            common.matching("the header of a rule", rule.name, HEADER_NAME, expected)


def _flag(where: str, written: Any) -> bool:
    if not isinstance(written, bool):
        raise ValueError("%s is %r: expected true or false" % (where, written))
    return written
