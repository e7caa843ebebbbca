# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``zdm-agent``: the command on a router's host.

zdm-agent status                 what every service's record says, and the split that is live
zdm-agent revert SERVICE         all traffic back to the stable pool of the current rollout
zdm-agent disarm SERVICE         the split stays as it is, and nobody minds it any more
zdm-agent pause SERVICE          an order to the rollout, as resume, promote and park are
zdm-agent lock SERVICE           no rollout starts here, until unlock
zdm-agent history SERVICE        the last rollouts
zdm-agent --stdio                the protocol, for the controller
zdm-agent --guard KIND           the guard: session, or resident (the service of the role router)
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from typing import Any, Callable, Dict, List, Optional

from .. import _split
from .._person import person
from ..routers import open_router
from ..routers.api import RouterError, Service, Sick
from . import lease as leases
from . import stdio
from .apply import Order, apply
from .description import described, rollouts
from .gate import Gate
from .guard import RESIDENT, SESSION, Guard
from .neighbour import refuse_forgotten
from .orders import PROMOTE_FULL, Left, leave, revert_recorded
from .record import DEFAULT_STATE, Record, RecordError, Store, lock_told
from .session import now

LOG_LIMIT = 1000000


def main(arguments: Optional[List[str]] = None, digest: str = "") -> int:
    """The exit code: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage.

    ``digest`` is of the sources that this agent was built of.
    """
    options = _parser().parse_args(arguments)
    state = options.state or _installed_state() or DEFAULT_STATE
    store = Store(state)
    try:
        if options.stdio:
            program = [sys.executable, os.path.abspath(sys.argv[0]), "--state", os.path.abspath(state)]
            return stdio.serve(store, program, _logger(state), digest)
        if options.guard:
            return Guard(store, options.guard, _logger(state), digest).run()
        if not options.command:
            _parser().print_usage(sys.stderr)
            return 2
        return _COMMANDS[options.command](store, options)
    except Sick as error:
        print("zdm-agent: %s; with --even-if-sick it is done all the same" % error, file=sys.stderr)
        return 1
    except (RouterError, RecordError, leases.LeaseError) as error:
        print("zdm-agent: %s" % error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zdm-agent", description="zdm's agent on a router's host")
    parser.add_argument("--state", help="state directory (the one this file lies in, else %s)" % DEFAULT_STATE)
    parser.add_argument("--stdio", action="store_true", help="speak the agent protocol on stdin and stdout")
    parser.add_argument("--guard", choices=(SESSION, RESIDENT), help="mind the leases of this host")
    commands = parser.add_subparsers(dest="command", metavar=" | ".join(_COMMANDS))
    commands.add_parser("status", help="records and live splits")
    for name, text in (
        ("revert", "all traffic back to the stable pool of the current rollout"),
        ("disarm", "leave the split as it is; nobody minds it any more"),
        ("pause", "hold the rollout where it is"),
        ("resume", "go on after a pause"),
        ("promote", "end a pause or the present hold, approve, and go on"),
        ("park", "end the run, and let the resident guards keep canary's share until somebody takes it up"),
        ("lock", "let no rollout start here"),
        ("unlock", "let one start again"),
        ("history", "the last rollouts"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("service")
        command.add_argument("--environment", help="needed only where the service has a record in several")
        if name == "promote":
            command.add_argument("--full", action="store_true", help="all steps to come, without holds and approvals")
        if name == "lock":
            command.add_argument("--reason", default="", help="why, for those who meet the lock")
        if name == "revert":
            command.add_argument("--reason", default="ordered on the router")
            command.add_argument("--even-if-sick", action="store_true", help="also when stable has no healthy member")
    return parser


def _installed_state() -> Optional[str]:
    directory = os.path.dirname(os.path.realpath(sys.argv[0]))
    return directory if sys.argv[0].endswith(".pyz") or os.path.islink(sys.argv[0]) else None


def _logger(directory: str) -> Callable[[str], None]:
    path = os.path.join(directory, "agent.log")

    def log(text: str) -> None:
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            if os.path.exists(path) and os.path.getsize(path) > LOG_LIMIT:
                os.replace(path, path + ".1")
            with open(path, "a", encoding="utf-8") as stream:
                stream.write("%s [%d] %s\n" % (now(), os.getpid(), text))
        except OSError:
            pass  # a full disk must not keep a revert from being done

    return log


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


if __name__ == "__main__":
    sys.exit(main())
