# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``zdm-agent``: the command on a router's host.

zdm-agent status                 what every service's record says, and the split that is live
zdm-agent revert SERVICE         all traffic back to the stable pool of the current rollout
zdm-agent --stdio                the protocol, for the controller
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from typing import Any, List, Optional

from .. import _split
from .._person import person
from ..routers import open_router
from ..routers.api import RouterError, Service, Sick
from . import lease as leases
from .description import described
from .gate import Gate
from .pump import Pump
from .record import DEFAULT_STATE, Record, RecordError, Store
from .session import Session, now, revert_recorded

LOG_LIMIT = 1000000


def main(arguments: Optional[List[str]] = None) -> int:
    """The exit code: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    state = options.state or _installed_state() or DEFAULT_STATE
    store = Store(state)
    try:
        if options.stdio:
            return _serve(store)
        if options.command == "status":
            return _status(store)
        return _revert(store, options)
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
    commands = parser.add_subparsers(dest="command", metavar="status | revert")
    commands.add_parser("status", help="records and live splits")
    revert = commands.add_parser("revert", help="all traffic back to the stable pool of the current rollout")
    revert.add_argument("service")
    revert.add_argument("--environment", help="needed only where the service has a record in several")
    revert.add_argument("--reason", default="ordered on the router")
    revert.add_argument("--even-if-sick", action="store_true", help="also when stable has no healthy member")
    return parser


def _installed_state() -> Optional[str]:
    directory = os.path.dirname(os.path.realpath(sys.argv[0]))
    return directory if sys.argv[0].endswith(".pyz") or os.path.islink(sys.argv[0]) else None


def _serve(store: Store) -> int:
    os.makedirs(store.directory, mode=0o700, exist_ok=True)
    session = Session(store, digest=_digest())
    return Pump(session, source=0, sink=1, log=_logger(store.directory)).run()


def _digest() -> str:
    try:
        with open(sys.argv[0], "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""


def _logger(directory: str) -> Any:
    path = os.path.join(directory, "agent.log")

    def log(text: str) -> None:
        try:
            if os.path.exists(path) and os.path.getsize(path) > LOG_LIMIT:
                os.replace(path, path + ".1")
            with open(path, "a", encoding="utf-8") as stream:
                stream.write("%s [%d] %s\n" % (now(), os.getpid(), text))
        except OSError:
            pass  # a full disk must not keep a revert from being done

    return log


def _status(store: Store) -> int:
    code = 0
    known = store.known()
    if not known:
        print("no rollout has been here (state directory %s)" % store.directory)
    for environment, name in known:
        try:
            lines = _described(store.load(environment, name))
        except RecordError as error:  # the others are wanted all the same
            print("zdm-agent: %s" % error, file=sys.stderr)
            code = 1
        else:
            print("\n".join(lines))
    return code


def _described(record: Record) -> List[str]:
    try:
        traffic = open_router(record.router).read(Service.from_json(record.service))
    except RouterError as error:
        return described(record, None, str(error))
    return described(record, traffic)


def _revert(store: Store, options: argparse.Namespace) -> int:
    if not options.command:
        _parser().print_usage(sys.stderr)
        return 2
    environment = options.environment or _only_environment(store, options.service)
    event = leases.Revert(None, "%s (%s)" % (options.reason, person()))
    applied = revert_recorded(store, Gate(), environment, options.service, event, options.even_if_sick)
    print("%s: %s" % (options.service, _split.describe(applied.traffic.split)))
    return 0


def _only_environment(store: Store, service: str) -> str:
    found = store.environments(service)
    if len(found) != 1:
        where = "in several environments (%s): name one with --environment" % ", ".join(found)
        raise RecordError("%s has a record %s" % (service, where if found else "nowhere in %s" % store.directory))
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
