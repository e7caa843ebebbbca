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
from typing import Callable, List, Optional

from .clock import now
from .kinds import RESIDENT, SESSION
from .record import DEFAULT_STATE, RecordError, Store

LOG_LIMIT = 1000000

#: What people order for one service, with what it does.
ON_A_SERVICE = (
    ("revert", "all traffic back to the stable pool of the current rollout"),
    ("disarm", "leave the split as it is; nobody minds it any more"),
    ("pause", "hold the rollout where it is"),
    ("resume", "go on after a pause"),
    ("promote", "end a pause or the present hold, approve, and go on"),
    ("park", "end the run, and let the resident guards keep canary's share until somebody takes it up"),
    ("lock", "let no rollout start here"),
    ("unlock", "let one start again"),
    ("history", "the last rollouts"),
)


def main(arguments: Optional[List[str]] = None, digest: str = "") -> int:
    """The exit code: 0 done, 1 refused or failed (the reason is on stderr), 2 wrong usage.

    ``digest`` is of the sources that this agent was built of.
    """
    options = _parser().parse_args(arguments)
    state = options.state or _installed_state() or DEFAULT_STATE
    store = Store(state)
    # What a run has to wait for on every router is loaded alone, and so is what a guard has in its memory for hours.
    try:
        if options.stdio:
            from . import stdio

            program = [sys.executable, os.path.abspath(sys.argv[0]), "--state", os.path.abspath(state)]
            return stdio.serve(store, program, _logger(state), digest)
        if options.guard:
            from .guard import Guard

            return Guard(store, options.guard, _logger(state), digest).run()
    except RecordError as error:
        sys.stderr.write("zdm-agent: %s\n" % error)
        return 1
    if not options.command:
        _parser().print_usage(sys.stderr)
        return 2
    from . import command

    return command.run(store, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zdm-agent", description="zdm's agent on a router's host")
    parser.add_argument("--state", help="state directory (the one this file lies in, else %s)" % DEFAULT_STATE)
    parser.add_argument("--stdio", action="store_true", help="speak the agent protocol on stdin and stdout")
    parser.add_argument("--guard", choices=(SESSION, RESIDENT), help="mind the leases of this host")
    commands = parser.add_subparsers(dest="command", metavar=" | ".join(("status", *dict(ON_A_SERVICE))))
    commands.add_parser("status", help="records and live splits")
    for name, text in ON_A_SERVICE:
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


if __name__ == "__main__":
    raise SystemExit(main())
