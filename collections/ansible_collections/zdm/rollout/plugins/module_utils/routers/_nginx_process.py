# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as its host sees it: the master process, its workers, and what a reload makes of them.

Theory of operation. nginx has no API; what it does is told by its processes. A reload is SIGHUP to the master: it reads
the configuration, starts new workers, waits for 0.1 s, in which old and new both answer, and tells the old ones to go.
An old worker is then titled "is shutting down" and lives as long as its longest request. A configuration that the
master does not take is one [emerg] line in its error log, and everything stays as it was.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any, Callable, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import _nginx_connections as connections
from ._nginx_title import Title, title_of
from .api import NotInForce, Refused, RouterError, Unreachable, Unsupported

#: What ``zdm_router`` says of which nginx is meant.
KEYS = ("nginx_conf", "prefix", "pid_file")
#: Where a service manager's PATH does not look.
MORE_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
TEST_SECONDS = 60.0
#: Seconds in which the new configuration has to answer: a large one with many certificates takes its time, and a port
#: that is taken is tried for 2.5 s.
DEADLINE = 10.0
LOOK = 0.02
#: Seconds that a new process may take to give itself its title.
UNNAMED = 1.0
#: Bytes of the error log that a reload may write and that are looked at.
LOG_BYTES = 1 << 20
#: Between two generations of workers there are at least 0.1 s, and times are whole hundredths.
APART = 0.08
EMERG = re.compile(r"\[emerg\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)")


#: Workers, each with when it was started (seconds since boot): so they are told from others with their numbers.
Generation = Tuple[Tuple[int, float], ...]


class Old(NamedTuple):
    """A worker that was told to go. ``peers``: the clients (address:port) whose requests it still has; ``seconds``: for
    how long at least it has been going."""

    pid: int
    peers: Tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        held = "held by %s" % ", ".join(self.peers[:3]) if self.peers else "with no client that can be seen"
        more = " and %d more" % (len(self.peers) - 3) if len(self.peers) > 3 else ""
        return "worker %d, %s%s, for %.0f s" % (self.pid, held, more, self.seconds)


class NginxProcess:
    """The nginx of a router's definition: ``binary``, and where they are not the usual ones ``file`` (its
    configuration), ``prefix`` and ``pid`` (its pid file). What is not given is taken from what runs."""

    def __init__(
        self,
        binary: str = "nginx",
        file: Optional[str] = None,
        prefix: Optional[str] = None,
        pid_file: Optional[str] = None,
        proc: str = "/proc",
    ) -> None:
        self._binary, self._file, self._prefix, self._pid_file, self._proc = binary, file, prefix, pid_file, proc
        self._last: Optional[Title] = None
        self._seen: Generation = ()

    @classmethod
    def of(cls, definition: Mapping[str, Any]) -> NginxProcess:
        """``definition`` is ``zdm_router``."""
        file, prefix, pid = (str(definition[key]) if definition.get(key) else None for key in KEYS)
        return cls(str(definition.get("binary") or "nginx"), file, prefix, pid)

    def running(self) -> bool:
        """Whether there is a master; Unsupported where it is not clear which one is meant."""
        return self._master() is not None

    def master(self) -> int:
        """The master's process id; Unreachable where none runs."""
        return self._known().pid

    def workers(self) -> List[int]:
        """The workers that take requests: in the first 0.1 s of a reload those of both generations."""
        return [child.pid for child in self._children() if child.is_worker]

    def old_workers(self) -> List[Old]:
        """The workers that were told to go and still have requests."""
        return self._old(self._children())

    def generation(self) -> Generation:
        """The workers that take requests, for those who ask many times a second: as long as those that were found
        before all do, nobody has reloaded."""
        alive = [title_of(self._proc, pid) for pid, dummy in self._seen]
        still = tuple((each.pid, each.started) for each in alive if each and each.is_worker)
        if not still or still != self._seen:
            self._seen = tuple((child.pid, child.started) for child in self._children() if child.is_worker)
        return self._seen

    def owners(self) -> List[int]:
        """The user ids that the workers run as."""
        found = set()
        for pid in self.workers():
            with suppress(OSError):
                found.add(os.stat("%s/%d" % (self._proc, pid)).st_uid)
        return sorted(found)

    def test(self) -> None:
        """``nginx -t``; Refused with its reason."""
        self._ask("-t", "-q")

    def dump(self) -> str:
        """``nginx -T``: all files of the configuration on disk, each after a line ``# configuration file PATH:``."""
        return self._ask("-T", "-q")

    def reload(
        self, shown: Callable[[], bool] = lambda: True, patience: float = 5.0, within: Optional[float] = None
    ) -> Tuple[Old, ...]:
        """Tell nginx to read its configuration; returns when ``shown`` says that it is in force and nobody answers by
        the one before.

        The new configuration has to answer ``within`` so many seconds (DEADLINE). Old workers that are left after so
        many seconds of ``patience`` are returned: what they have was asked before; everything new goes by the new
        configuration. Refused with nginx's reason where it keeps what it had; NotInForce where nothing is to be seen of
        the new one.
        """
        master = self._known()
        before = {child.pid for child in self._children() if child.is_worker}
        log = _Log("%s/%d/fd/2" % (self._proc, master.pid))
        try:
            os.kill(master.pid, signal.SIGHUP)
        except PermissionError as error:
            raise Unsupported(
                "nginx's master process %d may not be signalled by this user: run the agent as root (--become), or as "
                "the user that nginx was started by" % master.pid
            ) from error
        except ProcessLookupError as error:
            raise Unreachable("nginx's master process %d ended just now" % master.pid) from error
        self._wait_for_new(before, shown, log, DEADLINE if within is None else within)
        deadline = time.monotonic() + patience
        while True:
            left = self._old(self._children())
            if not left or time.monotonic() > deadline:
                return tuple(left)
            time.sleep(LOOK)

    def _wait_for_new(self, before: Iterable[int], shown: Callable[[], bool], log: _Log, within: float) -> None:
        deadline = time.monotonic() + within
        while True:
            workers = self.workers()
            if workers and not set(workers) & set(before) and shown():
                self._seen = ()
                return
            reason = log.refusal()
            if reason:
                raise Refused("nginx did not take its configuration and goes on with the one it had: %s" % reason)
            if time.monotonic() > deadline:
                self.test()
                seen = "the workers of before still answer" if set(workers) & set(before) else "does not show it"
                raise NotInForce("nginx was told to reload and %g s later %s; see its error log" % (within, seen))
            time.sleep(LOOK)

    def _old(self, children: Sequence[Title]) -> List[Old]:
        old = [child for child in children if child.is_going]
        if not old:
            return []
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        ports = connections.listened(self._proc, self.master())
        return [
            Old(
                each.pid, tuple(connections.clients(self._proc, each.pid, ports)), max(0.0, now - _told(each, children))
            )
            for each in old
        ]

    def _children(self) -> List[Title]:
        master = self.master()
        return sorted((each for each in self._all() if each.parent == master), key=lambda each: each.started)

    def _known(self) -> Title:
        found = self._master()
        if found is None:
            named = self._pid_file or self._file
            raise Unreachable(
                "no nginx runs here%s: start it; where it does run, name its configuration as zdm_router.nginx_conf or "
                "its pid file as zdm_router.pid_file" % (" with %s" % named if named else "")
            )
        return found

    def _master(self) -> Optional[Title]:
        if self._pid_file:
            return self._by_file(self._pid_file)
        if self._last and title_of(self._proc, self._last.pid) == self._last:
            return self._last
        deadline = time.monotonic() + UNNAMED
        while True:
            found = [each for each in self._all() if each.is_master and self._is_meant(each)]
            if len(found) <= 1:
                self._last = found[0] if found else None
                return self._last
            # A worker has its master's title until it gives itself its own.
            if time.monotonic() > deadline or not {each.pid for each in found} & {each.parent for each in found}:
                break
            time.sleep(LOOK)
        raise Unsupported(
            "%d nginx run here (master processes %s): name the one that is meant by its configuration "
            "(zdm_router.nginx_conf) or its pid file (zdm_router.pid_file); where its program is being replaced "
            "(USR2), end that first" % (len(found), ", ".join(str(each.pid) for each in found))
        )

    def _all(self) -> List[Title]:
        found = (title_of(self._proc, int(name)) for name in os.listdir(self._proc) if name.isdigit())
        return [each for each in found if each]

    def _by_file(self, path: str) -> Optional[Title]:
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                text = file.read(20).strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unsupported("nginx's pid file %s cannot be read: %s" % (path, error.strerror)) from error
        found = title_of(self._proc, int(text)) if text.isdigit() else None
        return found if found and found.is_master else None

    def _is_meant(self, master: Title) -> bool:
        if self._file is None:
            return True
        theirs = master.file or os.path.join(master.prefix or "", self._built("conf-path"))
        return os.path.realpath(self._file) == os.path.realpath(theirs)

    def version(self) -> str:
        """As it calls itself: ``nginx 1.22.1``."""
        said = re.search(r"nginx version: (\S+)/(\S+)", self._says())
        return "%s %s" % said.groups() if said else "nginx of an unknown version"

    def _built(self, what: str) -> str:
        """A path that this nginx was built with; empty where it does not say."""
        said = re.search(r"--%s=(\S+)" % what, self._says())
        return said.group(1) if said else ""

    def _says(self) -> str:
        try:
            ended = subprocess.run(
                [self._program(), "-V"],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
                timeout=TEST_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return ended.stderr.decode("utf-8", "replace")

    def _ask(self, *flags: str) -> str:
        file, prefix = self._file, self._prefix
        if file is None or prefix is None:
            with suppress(RouterError):
                running = self._master()
                file = file or (running.file if running else None)
                prefix = prefix or (running.prefix if running else None)
        words = [self._program(), *flags]
        words += ["-c", file] if file else []
        words += ["-p", prefix] if prefix else []
        try:
            ended = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=TEST_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unsupported("nginx cannot be asked about its configuration: %s" % error) from error
        if ended.returncode:
            said = ended.stderr.decode("utf-8", "replace")
            reason = "; ".join(EMERG.findall(said)) or said.strip()
            raise Refused("nginx would not take its configuration: %s" % reason)
        return ended.stdout.decode("utf-8", "replace")

    def _program(self) -> str:
        found = shutil.which(self._binary) or shutil.which(self._binary, path=MORE_PLACES)
        if found is None:
            raise Unsupported(
                "there is no program %s, and a configuration is tested before nginx gets it: install nginx, or name "
                "the program as zdm_router.binary" % self._binary
            )
        return found


class _Log:
    """What the error log says from now on. ``path`` leads to the master's standard error, which nginx makes its log;
    where that is no file, or may not be read, it says nothing."""

    def __init__(self, path: str) -> None:
        self._path, self._begin = path, 0
        with suppress(OSError):
            self._begin = os.stat(path).st_size

    def refusal(self) -> str:
        """Why the master did not take its configuration; empty as long as nothing says so."""
        text = ""
        with suppress(OSError):
            if os.path.isfile(self._path):
                with open(self._path, "rb") as file:
                    file.seek(self._begin)
                    text = file.read(LOG_BYTES).decode("utf-8", "replace")
        lines = [line for line in EMERG.findall(text) if not line.startswith("still could not bind")]
        final = [line for line in lines if not line.startswith("bind() to ")]
        # A port that is taken is tried again, and may be free by then.
        if final or "still could not bind" in text:
            return "; ".join(dict.fromkeys(final or lines))
        return ""


def _told(old: Title, children: Sequence[Title]) -> float:
    """When a worker was told to go, in seconds since boot: when the next workers came that are still there."""
    starts = [child.started for child in children]
    later = [start for before, start in zip(starts, starts[1:]) if start - before > APART and start > old.started]
    return min(later, default=old.started)
