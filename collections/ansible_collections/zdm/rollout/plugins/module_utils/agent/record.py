# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what an agent keeps on disk per (environment, service), and the locks beside it.

One JSON file a service under the state directory, replaced atomically and synced, so that lock, history and
everything a revert needs survive the controller and a power cut. Two locks, both of the kernel (they end with the
process that holds them): the *apply* lock, for the moment of a change; and the *guard* lock, held for life by the one
process that minds the leases here, so that a dead one is known.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import time
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .._files import write_whole
from . import locks
from .lease import STUCK, Lease

VERSION = 1
HISTORY = 20
#: Keys that the first agents of version 1 do not know, and drop when they write: a guard says which of them it keeps.
LATER = ("locked", "retired")
#: How long the change of another process on the same router is waited for, in seconds.
APPLY_PATIENCE = 5.0
#: Longer than the kernel takes to give another time to a file.
GRAIN_SECONDS = 0.05
DEFAULT_STATE = "/var/lib/zdm"
#: Of an environment and of a service, which are parts of a path here.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


class RecordError(Exception):
    """A record or the state directory cannot be used; the text says which and what to do."""


@dataclass(frozen=True)
class Record:
    """The record of one service. ``service`` is its definition as the last acquire gave it (Service.to_json).

    ``locked``: by whom, since when and why no rollout may start here (``by``, ``at``, ``reason``); None: one may.
    ``retired``: which pool was let go (``pool``, ``by``, ``at``, ``reason``), so that nobody goes back to what it had;
    None: none was, or a rollout has begun since.
    """

    environment: str
    name: str
    lease: Lease = Lease()
    service: Mapping[str, Any] = field(default_factory=dict)
    router: Mapping[str, Any] = field(default_factory=dict)
    terms: Mapping[str, Any] = field(default_factory=dict)
    note: Any = None
    orders: Tuple[Mapping[str, Any], ...] = ()
    rollouts: Tuple[Mapping[str, Any], ...] = ()
    locked: Optional[Mapping[str, Any]] = None
    retired: Optional[Mapping[str, Any]] = None

    def to_json(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"version": VERSION, "environment": self.environment, "name": self.name}
        data.update(self.lease.to_json())
        data.update(
            service=dict(self.service),
            router=dict(self.router),
            terms=dict(self.terms),
            note=self.note,
            orders=[dict(order) for order in self.orders],
            rollouts=[dict(rollout) for rollout in self.rollouts],
            locked=dict(self.locked) if self.locked else None,
            retired=dict(self.retired) if self.retired else None,
        )
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        return cls(
            environment=data["environment"],
            name=data["name"],
            lease=Lease.from_json(data),
            service=data["service"],
            router=data["router"],
            terms=data.get("terms") or {},
            note=data["note"],
            orders=tuple(data["orders"]),
            rollouts=tuple(data["rollouts"]),
            locked=data.get("locked") or None,
            retired=data.get("retired") or None,
        )

    def ended(self, outcome: str, at: str) -> Record:
        """With the present lease's rollout added to the history."""
        lease = self.lease
        rollout = {
            "run": lease.run,
            "owner": lease.owner,
            "release": lease.release,
            "stable": lease.stable,
            "canary": lease.canary,
            "outcome": outcome,
            "reason": lease.reason,
            "since": lease.since,
            "until": at,
        }
        return replace(self, orders=(), rollouts=(self.rollouts + (rollout,))[-HISTORY:])

    def with_closed(self, sessions: int) -> Record:
        """With so many sessions that were closed after the revert of the last rollout."""
        *before, last = self.rollouts
        return replace(self, rollouts=(*before, {**last, "closed": sessions}))


def lock_told(record: Record) -> str:
    """Who locked a service, since when and why, with the way out; for people."""
    locked = record.locked or {}
    why = ": %s" % locked["reason"] if locked.get("reason") else ""
    who = "%s is locked by %s since %s%s" % (record.name, locked.get("by", "?"), locked.get("at", "?"), why)
    return "%s; no rollout starts here until somebody unlocks it, with 'zdm-agent unlock %s' or the playbook unlock" % (
        who,
        record.name,
    )


def retired_told(record: Record) -> str:
    """Which pool was let go, by whom and when; for people."""
    retired = record.retired or {}
    why = ": %s" % retired["reason"] if retired.get("reason") else ""
    who = tuple(retired.get(key, "?") for key in ("pool", "by", "at"))
    return "%s was let go by %s at %s%s" % (*who, why)


class Store:
    """The records and locks in a state directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._read: Dict[str, Tuple[Any, Record]] = {}

    @classmethod
    def of(cls, router: Mapping[str, Any]) -> Store:
        """The store of a router, by its definition (``zdm_router``)."""
        return cls(str(router.get("state") or DEFAULT_STATE))

    def load(self, environment: str, name: str) -> Record:
        """The record of a service; an empty one when there is none yet."""
        path = self._path(environment, name)
        try:
            with open(path, encoding="utf-8") as stream:
                mark = _mark(os.fstat(stream.fileno()))
                if mark is not None and self._read.get(path, (None,))[0] == mark:
                    return self._read[path][1]
                data = json.load(stream)
        except FileNotFoundError:
            return Record(environment=environment, name=name)
        except (OSError, RecursionError, ValueError) as error:
            raise RecordError(
                "record %s cannot be read: %s; move it away to start without one" % (path, error)
            ) from None
        version = data.get("version") if isinstance(data, dict) else None
        if isinstance(version, int) and version > VERSION:
            raise RecordError(
                "record %s has version %r, this agent knows %d: a newer agent wrote it, use that one"
                % (path, version, VERSION)
            )
        try:
            if version != VERSION:
                raise ValueError("its version is %r, expected %d" % (version, VERSION))
            record = Record.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                "record %s is not a record: %s %s; move it away to start without one"
                % (path, type(error).__name__, error)
            ) from None
        self._read[path] = mark, record
        return record

    def recall(self, remembered: Record) -> Record:
        """The record on disk, with what only a guard's memory has: the loan, and what the disk did not take.

        A record that is gone, older or broken does not keep a guard from bringing back what it knows of.
        """
        try:
            found = self.load(remembered.environment, remembered.name)
        except RecordError:
            return remembered
        if found.lease.epoch < remembered.lease.epoch:
            return remembered
        if found.lease.epoch > remembered.lease.epoch or found.lease.run != remembered.lease.run:
            return found  # another guard's, where the directory was made anew
        behind = found.lease.minded and not remembered.lease.minded
        if behind or (found.lease.lives and remembered.lease.state == STUCK):
            return replace(remembered, note=found.note, orders=found.orders, locked=found.locked)
        loan = remembered.lease.loan if found.lease.minded else None
        return replace(found, lease=replace(found.lease, loan=loan))

    def save(self, record: Record) -> None:
        """Write it so that after a crash at any instant either the old or the new one is there, whole."""
        path = self._path(record.environment, record.name)
        try:
            write_whole(path, json.dumps(record.to_json(), indent=1, sort_keys=True), 0o600, 0o700)
        except OSError as error:
            raise RecordError(
                "state directory %s cannot be written: %s; set zdm_router.state to one that the agent's user owns"
                % (self.directory, error)
            ) from None

    def known(self) -> List[Tuple[str, str]]:
        """Environment and name of every service that has a record, in this order; none is read."""
        return [
            (environment, entry[: -len(".json")])
            for environment in _listed(self.directory)
            if NAME.match(environment)
            for entry in _listed(os.path.join(self.directory, environment))
            if entry.endswith(".json") and NAME.match(entry[: -len(".json")])
        ]

    def all(self) -> List[Record]:
        """Every record in the directory, by environment and name."""
        return [self.load(environment, name) for environment, name in self.known()]

    def environments(self, name: str) -> List[str]:
        """Where the service has a record. Nobody else's is read: a broken one must not stand in a revert's way."""
        return [known for known, service in self.known() if service == name]

    @contextlib.contextmanager
    def applying(self, for_return: bool = False) -> Iterator[None]:
        """Hold this router's apply lock: one change at a time, whoever makes it.

        ``for_return``: on a disk that takes no new file traffic goes back all the same, without the lock.
        """
        try:
            with locks.held(self._lock("apply.lock"), APPLY_PATIENCE):
                yield
        except locks.Unlockable as error:
            if not for_return:
                raise RecordError(
                    "%s; set zdm_router.state to a directory that the agent's user owns" % error
                ) from None
            yield
        except locks.Busy as error:
            raise RecordError("another change of this router does not come to its end: %s" % error) from None

    def guard(self, kind: str) -> Optional[int]:
        """Become the guard of this directory for life: the lock's file descriptor, or None while another one lives."""
        try:
            handle = locks.take(self._lock("guard.lock"))
        except locks.Unlockable as error:
            raise RecordError("%s; set zdm_router.state to a directory that the agent's user owns" % error) from None
        if handle is not None:
            with contextlib.suppress(OSError):  # for people; the lock itself is what counts
                os.ftruncate(handle, 0)
                os.pwrite(handle, ("%d %s\n" % (os.getpid(), kind)).encode(), 0)
        return handle

    def is_guard(self, handle: int) -> bool:
        """Whether the lock is still that of this directory, and not of one that was removed."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(os.path.join(self.directory, "guard.lock")))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # a disk that does not answer says nothing

    def guard_alive(self) -> Optional[locks.Holder]:
        """The process that is the guard of this directory, or None."""
        return locks.holder(os.path.join(self.directory, "guard.lock"))

    def owner(self) -> str:
        """Whose the directory is, by name (a number where it has none); empty where there is none yet."""
        try:
            number = os.stat(self.directory).st_uid
        except OSError:
            return ""
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)

    def _lock(self, name: str) -> str:
        with contextlib.suppress(OSError):  # the lock itself will say it
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            if os.geteuid() == 0 and os.stat(self.directory).st_uid != 0:
                # Its owner could lead root's writing elsewhere by a link, and could not read what root wrote.
                raise RecordError(
                    "state directory %s belongs to %s, and this is root: do it as that user (on the router: runuser -u"
                    " %s -- ...; in the inventory: ansible_become_user)" % (self.directory, self.owner(), self.owner())
                )
        return os.path.join(self.directory, name)

    def _path(self, environment: str, name: str) -> str:
        for said in (environment, name):
            if not NAME.match(said):
                raise RecordError(
                    "%r is no name of an environment or service: expected at most 63 letters, digits, '-', '_' and '.',"
                    " the first a letter or a digit" % said
                )
        return os.path.join(self.directory, environment, name + ".json")


def _mark(status: os.stat_result) -> Any:
    """What tells this writing of a file from every other; None while there might be another in the same instant.

    A guard looks ten times a second, and a file that is written whole has a new inode. The kernel's time has a grain,
    in which the old inode could come back.
    """
    if abs(time.time() - status.st_mtime) < GRAIN_SECONDS:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _listed(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
