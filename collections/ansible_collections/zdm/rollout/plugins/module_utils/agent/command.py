# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people order on a router's host; each is an exit code, or raises what the router or the record has to say."""

from __future__ import annotations

import argparse
import sys
import uuid
from typing import Any, Callable, Dict, List

from .. import _split
from .._person import person
from ..routers import open_router
from ..routers.api import RouterError, Service, Sick
from . import lease as leases
from .apply import Order, apply
from .clock import now
from .description import described, rollouts
from .gate import Gate
from .neighbour import refuse_forgotten
from .orders import PROMOTE_FULL, Left, leave, revert_recorded
from .record import Record, RecordError, Store, lock_told


def run(store: Store, options: argparse.Namespace) -> int:
    """The exit code: 0 done, 1 refused or failed, with the reason on stderr."""
    try:
        return _COMMANDS[options.command](store, options)
    except Sick as error:
        print("zdm-agent: %s; with --even-if-sick it is done all the same" % error, file=sys.stderr)
        return 1
    except (RouterError, RecordError, leases.LeaseError) as error:
        print("zdm-agent: %s" % error, file=sys.stderr)
        return 1


def _status(store: Store, options: argparse.Namespace) -> int:
    code = 0
    known = store.known()
    if not known:
        print("no rollout has been here (state directory %s)" % store.directory)
    for environment, name in known:
        try:
            lines = _described(store, store.load(environment, name))
        except RecordError as error:  # the others are wanted all the same
            print("zdm-agent: %s" % error, file=sys.stderr)
            code = 1
        else:
            print("\n".join(lines))
    return code


def _described(store: Store, record: Record) -> List[str]:
    guard = store.guard_alive()
    if not record.service:
        return described(record, None, guard, "which router it is nobody has said yet")
    try:
        traffic = open_router(record.router).read(Service.from_json(record.service))
    except RouterError as error:
        return described(record, None, guard, str(error))
    return described(record, traffic, guard)


def _revert(store: Store, options: argparse.Namespace) -> int:
    event = leases.Revert(None, "%s (%s)" % (options.reason, person()))
    environment = _environment(store, options)
    applied = revert_recorded(store, Gate(), environment, options.service, event, now(), options.even_if_sick)
    print("%s: %s" % (options.service, _split.describe(applied.traffic.split)))
    if applied.unsaved:
        print("zdm-agent: traffic is back, and the record is not: %s" % applied.unsaved, file=sys.stderr)
    return 0


def _disarm(store: Store, options: argparse.Namespace) -> int:
    environment = _environment(store, options)
    record = store.load(environment, options.service)
    event = leases.Disarm(None, "disarmed by %s" % person())
    applied = apply(store, open_router(record.router), Gate(), Order(environment, options.service, event, now()))
    print("%s: %s, and it stays so" % (options.service, _split.describe(applied.traffic.split)))
    return 0


def _order(store: Store, options: argparse.Namespace) -> int:
    verb = PROMOTE_FULL if getattr(options, "full", False) else options.command
    _leave(store, options, verb)
    print("%s: %s is ordered; the rollout takes it with its next sign of life" % (options.service, verb))
    return 0


def _lock(store: Store, options: argparse.Namespace) -> int:
    refuse_forgotten(store, options.command)
    left = _leave(store, options, options.command, getattr(options, "reason", ""))
    print(lock_told(left.record) if left.record.locked else "%s: a rollout may start here" % options.service)
    return 0


def _leave(store: Store, options: argparse.Namespace, verb: str, reason: str = "") -> Left:
    """An order of the person at this terminal."""
    environment = _environment(store, options)
    who, number = person(), uuid.uuid4().hex
    return leave(store, Gate(), environment, options.service, verb, by=who, id=number, at=now(), reason=reason)


def _history(store: Store, options: argparse.Namespace) -> int:
    print("\n".join(rollouts(store.load(_environment(store, options), options.service))))
    return 0


def _environment(store: Store, options: argparse.Namespace) -> str:
    if options.environment:
        return str(options.environment)
    service = options.service
    found = store.environments(service)
    if len(found) != 1:
        where = "in several environments (%s): name one with --environment" % ", ".join(found)
        raise RecordError("%s has a record %s" % (service, where if found else "nowhere in %s" % store.directory))
    return found[0]


_COMMANDS: Dict[str, Callable[[Store, Any], int]] = {
    "status": _status,
    "revert": _revert,
    "disarm": _disarm,
    "pause": _order,
    "resume": _order,
    "promote": _order,
    "park": _order,
    "lock": _lock,
    "unlock": _lock,
    "history": _history,
}
