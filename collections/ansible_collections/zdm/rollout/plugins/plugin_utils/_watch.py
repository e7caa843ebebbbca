# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch: the one process of a run on the controller that holds the channels, judges, orders and writes the journal.

Rules of this room: it joins the pure rollout to the world. Every decision is _rollout.handle's; here its orders are
carried out and what comes back is fed to it. Nothing reachable from here imports Ansible: the watch outlives it.

Theory of operation. One thread, one event loop. The play's tasks visit the desk; a keeper for each router renews
its lease twice a second and brings its counters; a beat puts the verdict before the rollout. When the owner
(ansible-playbook) is gone, or the watch is told to end, the rollout is ended, all routers are brought back, and the
watch ends with it. Should the watch die instead, each agent sees its connection close and does the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import _owner, _parking, _rollout, _say
from ._beat import Beat
from ._build import release
from ._channel import ChannelLost, Refusal
from ._desk import Declined, Desk
from ._drain import drain
from ._errand import Errand
from ._fleet import Fleet
from ._journal import Journal
from ._judging import Judging
from ._keeper import Keeper
from ._live import read_live
from ._log import log
from ._orders import Orders
from ._outcome import REFUSED, UNCHANGED, outcome, unmoved
from ._plan import LiveRouter, Plan, plan
from ._plan_text import timeline
from ._problem import SpecError
from ._rounds import Rounds
from ._routers import Routers
from ._spec import parse
from ._terms import RESIDENT, terms, watch_alpha
from ._undo import Serves
from ._voice import Voice
from ._ways import Ways

STOPPED = "ansible-playbook has been stopped (Ctrl-Z?) for longer than the lease"


class Watch:
    """One run. ``config`` is what the launching action sends (see _launch.py)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.run_name: str = config["run"]
        self.spec = parse(config["document"], config["release"])
        self.fleet = Fleet.from_json(config["fleet"])
        self.directory = Path(config["directory"])
        self.journal = Journal(self.directory)
        self.desk = Desk(self._serve)
        self.ways = Ways(self.fleet.routers)
        self.live: dict[str, LiveRouter] = {}
        self.plan: Plan | None = None
        self.rollout: _rollout.Rollout | None = None
        self.orders = Orders(self)
        self.beat = Beat(self)
        #: Router -> why stable could not take the traffic there now; those where it could are left out.
        self.sick: dict[str, str] = {}
        self._voice = Voice(self.spec, self.run_name)
        self._over = asyncio.Event()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._defective = False

    async def run(self) -> None:
        """Serve until the run is over: finished with, or abandoned and brought back."""
        loop = asyncio.get_running_loop()
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        loop.add_signal_handler(signal.SIGTERM, self._abandon, "the watch was told to end")
        await self.desk.open(self.config["socket"])
        os.write(self.config["ready_fd"], b"!")
        os.close(self.config["ready_fd"])
        self._start(self._watch_owner())
        await self._over.wait()
        await self.desk.close()
        if self.rollout is not None:
            await self.routers.close()
        await self._voice.done()
        shutil.rmtree(os.path.dirname(self.config["socket"]), ignore_errors=True)

    # --- what the play asks for

    async def _serve(self, request: Mapping[str, Any]) -> Any:
        match request.get("ask"):
            case "channel":
                return await self.ways.take(request)
            case "open":
                return await self._open()
            case "step":
                return await self._step(int(request["index"]))
            case "drain":
                return await drain(self)
            case "finish":
                return await self._finish(str(request["actor"]), str(request["reason"]))
        raise Declined(f"the watch does not know {request.get('ask')!r}")

    async def _open(self) -> dict[str, Any]:
        """The plan, with all leases taken; or the outcome of a run that moved nothing."""
        try:
            await self._open_channels()
            self.live = await self._read_all()
            made = plan(self.spec, self.fleet, self.live, Errand.from_json(self.config["errand"]))
            self.plan = made
            self.spec = replace(self.spec, release=made.release)
            self._voice = Voice(self.spec, self.run_name)
            self.journal.append("planned", {"plan": made.to_json()})
            who = (self.run_name, self.config["owner"], made.release, made.stable, made.canary)
            takes = made.takes.run if made.takes else ""
            took_over = await self.routers.acquire(*who, terms(self.spec, len(self.routers.names)), takes)
        except Serves as serves:
            return {"outcome": self._unmoved(UNCHANGED, str(serves))}
        except (SpecError, ChannelLost, Refusal, OSError) as error:
            if _parking.disagrees(error):  # as with any router that does not follow: all go back
                await self.routers.force_back(_parking.parked(self.live), f"run {self.run_name}: {error}")
            self._voice.tell("refused", str(error), "watch")
            return {"outcome": self._unmoved(REFUSED, str(error))}
        self._begin(made, took_over)
        deploy = self.config["deploy"] if made.deploy else ""
        return {"plan": made.to_json(), "timeline": timeline(made, self.spec), "deploy": deploy}

    async def _open_channels(self) -> None:
        missing = self.ways.missing()
        if not missing:
            services = {name: self.fleet.service_for(name, self.spec) for name in self.fleet.routers}
            self.routers = Routers(self.ways.lines, services)
            missing = await self.routers.open()
        if missing:
            raise ChannelLost("no channel to " + "; ".join(f"{name}: {why}" for name, why in missing.items()))

    async def _read_all(self) -> dict[str, LiveRouter]:
        replies = await asyncio.gather(*(self.routers.read(name) for name in self.routers.names))
        named = zip(self.routers.names, replies, strict=True)
        return read_live({name: {**reply, "guard": self.routers.guard(name)} for name, reply in named})

    def _begin(self, made: Plan, took_over: Mapping[str, Any]) -> None:
        pool_of = {
            name: {member.name: pool for pool, members in service.pools.items() for member in members}
            for name, service in ((name, self.fleet.service_for(name, self.spec)) for name in self.fleet.routers)
        }
        self.judging = Judging(made.stable, made.canary, self.spec.checks, pool_of, watch_alpha(self.spec))
        self.rounds = Rounds.of(self.spec, self.fleet, made, self.routers, self.judging)
        policies = _rollout.Policies(
            self.spec.on_inconclusive,
            self.spec.no_data_deadline,
            self.spec.error_deadline,
            self.spec.progress_deadline,
            self.spec.on_foreign_change,
            self.spec.on_fail,
            self.spec.on_no_data,
            self.spec.on_error,
            self.spec.park_for if self.spec.guard == RESIDENT else 0.0,
        )
        self.rollout = _rollout.Rollout(tuple(self.routers.names), made.steps, policies)
        if made.takes:
            self._take_up(made.takes)
        for name, dead in took_over.items():
            who = f"run {dead['run']} of {dead['owner']}"
            text = f"{name}: took over from {who}, which did not end itself: {dead['reason'] or dead['state']}"
            self.journal.append("ordered", {"took_over": dead, "router": name})
            self.desk.say(text)
        here = release()
        for name in self.routers.names:
            if not self.routers.is_of(name, here):
                self.desk.say(f"{name}: its guard is of another release of zdm; when this is over, run the role router")
        self.feed(_rollout.Locked(time.monotonic()))
        self.remark(self.config["lifted"])
        for name in self.routers.names:
            self._start(Keeper(self, name).keep())
        self._start(self.beat.keep())

    def _take_up(self, takes: _parking.Takes) -> None:
        """Begin behind what the parked run has done; what all guards have watched since counts as well."""
        watched = min(self.routers.watched.values())
        credit = 0.0 if takes.fresh else takes.held + watched
        self.rollout = replace(self.planned(), step=takes.first - 1, credit=credit)
        self.judging.resume(_parking.left(self.live), time.monotonic())
        told = {"run": takes.run, "step": takes.first, "held": takes.held, "watched": round(watched, 1)}
        self.journal.append("ordered", {"took_up": told})
        self.desk.say(f"took up run {takes.run}, which all guards have watched for {watched:.0f} s")

    async def _step(self, index: int) -> dict[str, Any]:
        self.beat.judge(time.monotonic())  # what has happened since the last look may speak against a raise
        while self.planned().stays:
            self._changed.clear()
            await self._changed.wait()
        rollout = self.planned()
        if not rollout.ended and rollout.state not in (_rollout.REVERTING, _rollout.PARKING):
            try:
                self.feed(_rollout.StepAsked(index, time.monotonic()))
            except _rollout.RolloutError as error:
                raise Declined(str(error)) from None
        while self.planned().under_way:
            self._changed.clear()
            await self._changed.wait()
        return self._result()

    async def _finish(self, actor: str, reason: str) -> dict[str, Any]:
        """The outcome; a rollout that is not over is ended first. The watch ends with this."""
        if self.rollout is None:
            raise Declined("nothing was planned, so there is nothing to finish")
        self.feed(_rollout.End(actor, reason))
        while not self.planned().ended:
            self._changed.clear()
            await self._changed.wait()
        asyncio.get_running_loop().call_later(0.1, self._over.set)
        return self._result()

    def planned(self) -> _rollout.Rollout:
        if self.rollout is None:
            raise Declined("nothing was planned yet: ask the watch to open first")
        return self.rollout

    def made(self) -> Plan:
        if self.plan is None:
            raise Declined("nothing was planned yet: ask the watch to open first")
        return self.plan

    def _result(self) -> dict[str, Any]:
        return outcome(self.run_name, str(self.journal.path), self.made(), self.planned(), self.orders.until)

    def _unmoved(self, how: str, reason: str) -> dict[str, Any]:
        who = (self.spec.service, self.spec.environment, self.spec.release)
        result = unmoved(how, self.run_name, str(self.journal.path), *who, reason)
        with contextlib.suppress(OSError):  # perhaps the very reason
            self.journal.append("finished", {"outcome": how, "reason": reason})
        self.journal.conclude(result)
        return result

    # --- the rollout's events and orders

    def feed(self, event: _rollout.Event) -> None:
        """Put an event before the rollout and carry out what it orders."""
        before = self.planned()
        self.rollout, orders = _rollout.handle(before, event)
        after = self.planned()
        if isinstance(event, _rollout.ReadBack) and before.owed and not after.owed:
            self.judging.begin(after.current, event.t)
            self.rounds.begin(after.current)
        for order in orders:
            match order:
                case _rollout.Note():
                    if not self._note(order):
                        break  # without its intention on disk nothing is changed
                case _rollout.ArmAll():
                    self.judging.raising()
                    self._for_all(self.orders.arm, self.split(order.weight))
                case _rollout.RevertAll():
                    self.rounds.end()
                    self._for_all(self.orders.revert, order.reason)
                case _rollout.ParkAll():
                    self.rounds.end()
                    self._for_all(self.orders.park, self.orders.park_note())
                case _rollout.DisarmAll():
                    self.rounds.end()
                    self._for_all(self.orders.disarm)
        if after.ended and not before.ended:
            self.journal.conclude(self._result())
            told = "promoted" if after.state == _rollout.FINISHED else after.state
            if told != _rollout.PARKED:  # which a person has just ordered
                self._voice.tell(told, after.reason, after.actor)
        if after.state == _rollout.PAUSED and before.state != _rollout.PAUSED and after.pause:
            self._voice.tell("paused", after.pause.reason, after.pause.by)
        if orders:
            self._changed.set()

    def split(self, weight: float) -> dict[str, float]:
        """The split in which canary has ``weight`` percent."""
        made = self.made()
        return {made.stable: 100.0 - weight, made.canary: weight}

    def _note(self, note: _rollout.Note) -> bool:
        """Journal and say it. When the journal does not take it the rollout ends; the way back needs no journal."""
        for line in _say.note(note, self.made(), self.planned()):
            self.desk.say(line)
        try:
            self.journal.append(note.event, note.data)
        except OSError as error:
            log(f"journal: {error}")
            going_back = self.planned().state == _rollout.REVERTING or self.planned().ended
            if not going_back:
                reason = f"the journal {self.journal.path} cannot be written: {error}"
                asyncio.get_running_loop().call_soon(self.feed, _rollout.End(_rollout.BY_ABANDON, reason))
            return going_back
        return True

    def tell_of_stable(self, name: str, sick: str) -> None:
        """There is nothing to go back to at a router, or there is again."""
        self.sick = {**self.sick, name: sick} if sick else {key: why for key, why in self.sick.items() if key != name}
        text = f"{name}: stable cannot take the traffic now: {sick}" if sick else f"{name}: stable is well again"
        self.desk.say(text)
        with contextlib.suppress(OSError):  # the next intention will find the same
            self.journal.append("observed", {"router": name, "stable": sick})

    def remark(self, text: str) -> None:
        """Something that people should know, and that changes nothing."""
        if text:
            self.desk.say(f"  {text}")
            self.observe(remark=text)

    def observe(self, **what: Any) -> None:
        """Journal what is of no consequence."""
        with contextlib.suppress(OSError):  # the next intention will find the same
            self.journal.append("observed", {"step": self.planned().step, **what})

    # --- the end

    async def _watch_owner(self) -> None:
        pid, started = self.config["owner_pid"], self.config["owner_started"]
        ends = [
            asyncio.create_task(_owner.gone(pid, started)),
            asyncio.create_task(_owner.stopped(pid, self.spec.lease)),
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        self._abandon("ansible-playbook is gone" if ends[0].done() else STOPPED)
        for end in ends:
            end.cancel()

    def _abandon(self, reason: str) -> None:
        """Bring everything back, then end. Before the leases are taken there is nothing to bring back."""
        if self.rollout is None:
            self._over.set()
            return
        self.feed(_rollout.Abandoned(reason, self.spec.on_abandon == "hold"))
        self._start(self._leave())

    def _survive(self, defect: str) -> None:
        """A defect of ours must not leave traffic where nobody watches it.

        What failed may have been the way back itself, so it is ordered once more: a router that is back is not
        changed by it. After a second one the watch ends, which every guard takes for what it is.
        """
        if self._defective:
            self._over.set()
            return
        self._defective = True
        self._abandon(defect)
        if self.rollout is not None and self.rollout.state == _rollout.REVERTING:
            self._for_all(self.orders.revert, self.rollout.reason)

    async def _leave(self) -> None:
        while not self.planned().ended:
            self._changed.clear()
            await self._changed.wait()
        self._over.set()

    def _for_all(self, order: Any, *arguments: Any) -> None:
        for name in self.routers.names:
            self._start(order(name, *arguments))

    def _start(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            task.get_loop().call_exception_handler(
                {"message": "a task of the watch failed", "exception": task.exception()}
            )
            self._survive(f"the watch has a defect: {task.exception()!r}")


def main(config: Mapping[str, Any]) -> None:
    """Run a watch to its end."""

    async def serve() -> None:
        await Watch(config).run()

    asyncio.run(serve())
