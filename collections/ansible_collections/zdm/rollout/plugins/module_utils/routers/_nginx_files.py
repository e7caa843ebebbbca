# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a managed nginx's files: where each is, and the share of a service, a directory behind a link."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import AbstractSet, FrozenSet, List, Optional

from . import _haproxy_options as common
from ._managed_files import ManagedFiles
from .api import Unsupported

CONFIG, LOGS = "/etc/zdm/nginx", "/var/log/zdm-nginx"

#: All files of all shares of a service are links to this one, so that they cost no inodes.
EMPTY, CURRENT = ".empty", "current"


class Files(ManagedFiles):
    """The files under ``config`` (``zdm_router.config``), and the logs under ``logs`` (``zdm_router.logs``)."""

    proxy = "nginx"

    def __init__(self, config: str, logs: str) -> None:
        for key, path in (("config", config), ("logs", logs)):
            if not common.PATH.match(path):
                raise Unsupported(
                    "zdm_router.%s is %r: expected an absolute path of letters, digits and /._+:@-" % (key, path)
                )
        self.config, self.logs = config, logs
        self.common = os.path.join(config, "http.conf")
        self.socket = os.path.join(config, "status.sock")
        self.main = os.path.join(config, "nginx.conf")
        self.services = os.path.join(config, "services")

    def service(self, name: str) -> str:
        return os.path.join(self.services, name + ".conf")

    def members(self, service: str) -> str:
        """The directory of the documents of a service's pools."""
        return os.path.join(self.config, "members", service)

    def pool(self, service: str, pool: str) -> str:
        return os.path.join(self.members(service), pool + ".conf")

    def log(self, service: str) -> str:
        return os.path.join(self.logs, service + ".log")

    def shares(self, service: str) -> str:
        return os.path.join(self.config, "split", service)

    def current(self, service: str) -> str:
        """The link to the share that is in force."""
        return os.path.join(self.shares(service), CURRENT)

    def write(self, path: str, text: str) -> None:
        self.directory(os.path.dirname(path))
        super().write(path, text)

    def directory(self, path: str) -> None:
        """Make a directory that nginx may pass, whatever the umask. Unsupported where it cannot be made."""
        try:
            if not os.path.isdir(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.mkdir(path)
                os.chmod(path, 0o755)
        except OSError as error:
            raise Unsupported(self._failed(path, error)) from error

    def put_back(self, path: str, text: Optional[str]) -> None:
        """As it was before: with this text, or not there."""
        if text is not None:
            self.write(path, text)
        else:
            self.remove(path)

    def names(self, service: str, share: str = CURRENT) -> Optional[FrozenSet[str]]:
        """What is in a directory of a share; None where there is none, or it cannot be read."""
        try:
            return frozenset(os.listdir(os.path.join(self.shares(service), share)))
        except OSError:
            return None

    def in_force(self, service: str) -> str:
        """What the directory behind the link is called; empty where there is no link."""
        try:
            return os.readlink(self.current(service))
        except OSError:
            return ""

    def made(self, service: str, share: str, names: AbstractSet[str]) -> str:
        """A directory with these files, called ``share`` or, where another share has taken that name, with a number
        behind it; its name. One that is there is not touched: it may be in force."""
        for number in range(1000):
            name = "%s~%d" % (share, number) if number else share
            present = self.names(service, name)
            if present == names:
                return name
            if present is None:
                self._make(service, name, names)
                return name
        raise Unsupported("%s is full of what is no share: remove what is not 'current'" % self.shares(service))

    def bring(self, service: str, share: str) -> None:
        """Put the directory ``share`` in force: one rename. On a disk that takes nothing more, of a spare link."""
        link = self.current(service)
        beside = link + ".new"
        try:
            try:
                with suppress(FileNotFoundError):
                    os.unlink(beside)
                os.symlink(share, beside)
                os.rename(beside, link)
            except OSError:
                os.rename(self._spare(service, share), link)
            _sync(self.shares(service))
        except OSError as error:
            raise Unsupported(self._failed(link, error)) from error

    def spare(self, service: str, share: str) -> None:
        """Have a link to ``share`` ready, so that nothing has to be written to put it in force."""
        with suppress(OSError):
            os.symlink(share, self._spare(service, share))

    def _spare(self, service: str, share: str) -> str:
        return "%s.%s" % (self.current(service), share)

    def prune(self, service: str, kept: AbstractSet[str]) -> None:
        """Remove the shares that are neither in force nor ``kept``. What cannot be removed stays."""
        kept = {*kept, self.in_force(service), EMPTY}
        for name in sorted(self.names(service, "") or ()):
            if name not in kept and name.partition(".")[0] != CURRENT:
                shutil.rmtree(os.path.join(self.shares(service), name), ignore_errors=True)

    def forget(self, service: str) -> None:
        """Remove all shares of a service, and who is left out of it."""
        for directory in (self.shares(service), self.out(service)):
            shutil.rmtree(directory, ignore_errors=True)

    def out(self, service: str) -> str:
        """The directory that has a file for each member that gets nothing."""
        return os.path.join(self.config, "out", service)

    def left_out(self, service: str) -> FrozenSet[str]:
        """The files that are there."""
        with suppress(OSError):
            return frozenset(os.listdir(self.out(service)))
        return frozenset()

    def leave_out(self, service: str, names: AbstractSet[str]) -> None:
        """Exactly these files. Those that go first: a pool is to have somebody at all times."""
        directory, present = self.out(service), self.left_out(service)
        try:
            for name in present - names:
                os.unlink(os.path.join(directory, name))
            for name in names - present:
                self.directory(os.path.dirname(directory))
                self.directory(directory)
                with open(os.path.join(directory, name), "ab"):
                    pass
        except OSError as error:
            raise Unsupported(self._failed(directory, error)) from error

    def present(self, service: str) -> List[str]:
        """The documents of pools of a service that are there."""
        directory = self.members(service)
        with suppress(OSError):
            return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.endswith(".conf")]
        return []

    def _make(self, service: str, share: str, names: AbstractSet[str]) -> None:
        shares = self.shares(service)
        beside, empty = os.path.join(shares, ".%s.new" % share), os.path.join(shares, EMPTY)
        try:
            shutil.rmtree(beside, ignore_errors=True)
            for directory in (self.config, os.path.dirname(shares), shares, beside):
                self.directory(directory)
            with open(empty, "ab"):
                pass
            for name in names:
                os.link(empty, os.path.join(beside, name))
            _sync(beside)
            os.rename(beside, os.path.join(shares, share))
            _sync(shares)
        except OSError as error:
            raise Unsupported(self._failed(beside, error)) from error

    def _failed(self, path: str, error: OSError) -> str:
        return (
            "nginx's %s cannot be written: %s. Expected a directory that the role zdm.rollout.router made "
            "(zdm_router.config) and a user who may write to it" % (path, error.strerror)
        )


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
