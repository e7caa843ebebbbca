# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what an agent keeps on disk per (environment, service), and the locks beside it.

One JSON file a service under the state directory, replaced atomically and synced, so that lock, history and
everything a revert needs survive the controller and a power cut. Two kinds of lock, both of the kernel (they
end with the process that holds them): the *apply* lock, one a router, for the moment of a change; and the
*holder* lock, one a service, held for life by the session that acquired its lease, so that a dead owner is known.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from .._files import write_whole
from .lease import Lease

VERSION = 1
HISTORY = 20
DEFAULT_STATE = "/var/lib/zdm"


class RecordError(Exception):
    """A record or the state directory cannot be used; the text says which and what to do."""


@dataclass(frozen=True)
class Record:
    """The record of one service. ``service`` is its definition as the last acquire gave it (Service.to_json)."""

    environment: str
    name: str
    lease: Lease = Lease()
    service: Mapping[str, Any] = field(default_factory=dict)
    router: Mapping[str, Any] = field(default_factory=dict)
    note: Any = None
    orders: Tuple[Mapping[str, Any], ...] = ()
    rollouts: Tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> Dict[str, Any]:
        data: Dict[str, Any] = {"version": VERSION, "environment": self.environment, "name": self.name}
        data.update(asdict(self.lease))
        data.update(
            service=dict(self.service),
            router=dict(self.router),
            note=self.note,
            orders=[dict(order) for order in self.orders],
            rollouts=[dict(rollout) for rollout in self.rollouts],
        )
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        return cls(
            environment=data["environment"],
            name=data["name"],
            lease=Lease(**{key: data[key] for key in asdict(Lease())}),
            service=data["service"],
            router=data["router"],
            note=data["note"],
            orders=tuple(data["orders"]),
            rollouts=tuple(data["rollouts"]),
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


class Store:
    """The records and locks in a state directory."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @classmethod
    def of(cls, router: Mapping[str, Any]) -> Store:
        """The store of a router, by its definition (``zdm_router``)."""
        return cls(str(router.get("state") or DEFAULT_STATE))

    def load(self, environment: str, name: str) -> Record:
        """The record of a service; an empty one when there is none yet."""
        path = self._path(environment, name)
        try:
            with open(path, encoding="utf-8") as stream:
                data = json.load(stream)
        except FileNotFoundError:
            return Record(environment=environment, name=name)
        except (OSError, ValueError) as error:
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
            return Record.from_json(data)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                "record %s is not a record: %s %s; move it away to start without one"
                % (path, type(error).__name__, error)
            ) from None

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
            for entry in _listed(os.path.join(self.directory, environment))
            if entry.endswith(".json")
        ]

    def all(self) -> List[Record]:
        """Every record in the directory, by environment and name."""
        return [self.load(environment, name) for environment, name in self.known()]

    def environments(self, name: str) -> List[str]:
        """Where the service has a record. Nobody else's is read: a broken one must not stand in a revert's way."""
        return [known for known in _listed(self.directory) if os.path.exists(self._path(known, name))]

    @contextlib.contextmanager
    def applying(self) -> Iterator[None]:
        """Hold this router's apply lock: one change at a time, whoever makes it."""
        handle = self._open_lock("apply.lock")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def hold(self, environment: str, name: str) -> Optional[int]:
        """Take the holder lock of a service: its file descriptor, to be kept for life, or None if somebody lives."""
        handle = self._open_lock("%s.%s.holder" % (environment, name))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle

    def _open_lock(self, name: str) -> int:
        path = os.path.join(self.directory, name)
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecordError(
                "lock %s cannot be opened: %s; set zdm_router.state to a directory that the agent's user owns"
                % (path, error)
            ) from None

    def _path(self, environment: str, name: str) -> str:
        return os.path.join(self.directory, environment, name + ".json")


def _listed(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
