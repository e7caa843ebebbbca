# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule that a spec, an inventory or a live fleet can break: what is expected, and what to do next.

Rules of this room: a literal table of texts, and the one function that makes a Problem of a row. Where a rule is
applied is told by the id's first word; each id has a case in the corpus of the tests. ``{words}`` are filled in
by the one who found the problem; ``{key}`` is the last part of the path, ``{value}`` what stands there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ._problem import Problem, printable, shown


class Rule(NamedTuple):
    """The two halves of a message that do not depend on what was written."""

    expected: str
    next_step: str


RULES: dict[str, Rule] = {
    # The files, and the spec's as YAML.
    "file.spec": Rule("a file that can be read", "correct the path: {reason}"),
    "file.tasks": Rule("a file of tasks", "correct the path: there is none at {path}"),
    "yaml.syntax": Rule("YAML", "mend it: {reason}"),
    "yaml.twice": Rule("each key once", "remove one of the two (line {line})"),
    # Keys, wherever they stand.
    "key.unknown": Rule("one of {known}", "{hint}"),
    "key.not_yet": Rule("a key that this version of zdm can act on", "{key} is not yet in zdm: remove it"),
    "key.missing": Rule("{what}", "add {key}"),
    "key.empty": Rule("a value", "give {key} one, or remove the key for its default"),
    "key.quote": Rule("a text as a key", 'quote it, "{written}": without quotes YAML makes something else of it'),
    # Kinds of values, wherever they stand.
    "value.mapping": Rule("a mapping of keys", "write {key} as lines of `key: value`"),
    "value.list": Rule("a list", "write {key} as lines that start with `- `"),
    "value.text": Rule("a text in one line", "write {key} as a text"),
    "value.quote": Rule("{what}", 'quote it, {key}: "…": without quotes YAML makes a number, a date or a truth of it'),
    "value.name": Rule(
        "a name: letters, digits, '-', '_' or '.', a letter or digit first, at most 63", "choose another name"
    ),
    "value.whole": Rule("a whole number from {low} to {high}", "correct {key}"),
    "value.number": Rule("a number from {low} to {high}", "correct {key}"),
    "value.duration": Rule("a duration like 30s, 15m, 2h or 1h30m, from {low} to {high}", "write {key} with its units"),
    "value.clock": Rule(
        "a duration with its units",
        'quote it and write the units, {key}: "{minutes}" or "{hours}": YAML takes 1:30 for the number 90',
    ),
    "value.choice": Rule("{known}", "correct {key}"),
    "value.not_yet": Rule("{known}", "{value} is not yet in zdm: choose another"),
    "value.url_path": Rule("the path of a URL, from its '/' on, without blanks", "write it like /health"),
    "value.share": Rule(
        "canary's share in percent, more than 0, at most 100, with at most two decimals", "correct {key}"
    ),
    "value.path": Rule("an absolute path", "write {key} from its '/' on"),
    "value.server": Rule("letters, digits and any of . _ : - (as a proxy names things)", "correct {key}"),
    # The spec as a whole.
    "spec.newer": Rule(
        "1",
        "install a newer zdm.rollout that reads version {version}: ansible-galaxy collection install -U zdm.rollout",
    ),
    "spec.release": Rule("the release to move to", 'add release: "…", or give it with -e zdm_release=…'),
    "spec.pools": Rule("exactly two pools", "name two: one serves, the other takes the new release"),
    "spec.initial": Rule("one of the pools {pools}", "correct initial, or remove it"),
    "spec.server": Rule("{{host}} or {{pool}} as the only parts in braces", "correct the pattern"),
    "spec.ignored_twice": Rule("each router once", "remove one of the two"),
    "spec.no_steps": Rule("steps or a progression", "add steps: [{{weight: 5, hold: 5m}}, …, {{weight: 100}}]"),
    "strategy.key": Rule("no {key} with strategy: {strategy}", "remove it, or choose another strategy"),
    "strategy.hold": Rule(
        "a hold: no check of these says how long it takes", "add hold: 5m, or a check that is measured every so often"
    ),
    "spec.steps_twice": Rule("steps or a progression, not both", "remove one of the two"),
    "step.none": Rule("at least one step", "end the list with weight: 100"),
    "step.rising": Rule("more than {before}, the weight of the step before", "let the weights rise"),
    "step.last": Rule("100 in the last step", "add a last step with weight: 100"),
    "step.min_hold": Rule("at most the hold, {hold}", "lower min_hold, or hold longer"),
    "step.check": Rule("one of the spec's checks: {checks}", "{hint}"),
    "step.approve": Rule(
        "true, or a mapping with timeout and on_timeout",
        "write approve: true, or approve: {{timeout: 4h, on_timeout: rollback}}",
    ),
    "rule.way": Rule("header or cookie, exactly one", "write each rule like {{header: x-canary, value: insider}}"),
    "rule.none": Rule("at least one rule", "write one like {{header: x-canary, value: insider}}, or remove {key}"),
    "value.header": Rule("the name of a header: letters, digits and -", "correct {key}"),
    "value.header_value": Rule("letters, digits and any of . _ ~ : / @ = + -", "choose another value"),
    "value.cookie": Rule("the name of a cookie: letters, digits, _ and -", "correct {key}"),
    "value.cookie_value": Rule("letters, digits and any of . _ ~ -", "choose another value"),
    "step.matched": Rule(
        "more than 0, without match: nobody would see canary in it", "add match to the spec, or let it begin higher"
    ),
    "progression.growth": Rule("factor or add, exactly one", "write factor: 2 (doubling) or add: 10 (points)"),
    "progression.factor": Rule("a number more than 1, at most 100", "write factor: 2 to double the share step by step"),
    "progression.long": Rule("a growth that comes to 100 within {most} steps", "start higher, or grow faster"),
    "check.other_signal": Rule("{key} only with signal: {signal}", "remove it, or change the signal"),
    "check.bounds": Rule("compare, min or max: one way to fail", "add compare: stable, or max: 1 (percent)"),
    "check.both": Rule("compare or bounds, not both", "make two checks of it"),
    "check.continuous": Rule(
        "no {key} with compare: every request counts, from the step's beginning", "remove {key}, or use max"
    ),
    "check.sequential": Rule(
        "{key} only with compare: stable and judge: sequential", "remove it, or let the sequential judge compare"
    ),
    "check.judge": Rule(
        "judge: sequential only with compare: stable: its evidence is a comparison", "add compare, or remove judge"
    ),
    "check.latency": Rule(
        "compare: stable with latency, by the sequential judge",
        "write compare: stable, without a judge",
    ),
    "check.margin": Rule("no margin with latency: canary may be slower by a tenth", "remove margin"),
    "check.series": Rule(
        "requests and failures, or histogram, or value",
        "write selectors of one of the three, such as histogram: http_request_duration_seconds",
    ),
    "check.selector": Rule(
        'a name, with labels in braces where they matter, like http_requests_total{{code=~"5.."}}',
        "correct it: {reason}",
    ),
    "check.value": Rule(
        "no compare with value: a gauge says nothing about how many requests", "write min or max, or compare a counter"
    ),
    "check.library": Rule(
        "the Python package {package} on the controller, to read pages of metrics",
        "install it where ansible-playbook runs: pip install {package}",
    ),
    # When no rollout starts.
    "freeze.way": Rule(
        "from and to, or the days on which it comes again",
        'write from: "2026-12-20" and to: "2027-01-02", or days: [fri, sat, sun]',
    ),
    "freeze.moment": Rule(
        'a date, or a date and a time of day, in quotes: "2026-12-20 18:00"', "write {key} like that"
    ),
    "freeze.clock": Rule('a time of day in quotes, from "00:00" to "24:00"', "write {key} like that"),
    "freeze.zone": Rule("a time zone that this machine knows, like Europe/Berlin", "correct it, or remove it for UTC"),
    "freeze.order": Rule("a moment after from, {begin}", "let it end after it begins"),
    "freeze.now": Rule(
        "a time without a freeze, which is in force {told}",
        'wait; or give the reason why not, which is journalled: -e zdm_unfreeze="…" (undo and abort are never frozen)',
    ),
    "check.crossed": Rule("a min below max {max}", "correct the two bounds: no value is within"),
    "check.expect": Rule("a status code from 100 to 599, or a JMESPath expression in quotes", "correct it{reason}"),
    # What a guard does when nobody renews the lease, and whom it tells. Commands and URLs may hold secrets.
    "guard.hold": Rule(
        "hold with guard: none: nobody is there to take canary's traffic back",
        "write on_abandon: hold, or remove guard: none",
    ),
    "guard.reflex": Rule(
        "disabled with guard: none: a reflex is a guard's, and there is none", "remove reflex, or guard: none"
    ),
    "guard.close": Rule(
        "keep with guard: none: nobody is there to close what a revert leaves under way",
        "remove on_revert, or guard: none",
    ),
    "reflex.value": Rule("enabled, disabled, or a mapping with any of {known}", "correct reflex, or remove it"),
    "value.alpha": Rule(
        "a chance from 0.000000001 to 0.1, written like 0.0005", "correct alpha, or remove it for its default"
    ),
    "notify.way": Rule("command or url, exactly one", "write one of the two in each entry, and more entries for more"),
    "notify.program": Rule(
        "an absolute path, or a name that is on the PATH, without blanks",
        "write each word as an item of its own: [/usr/local/bin/page, --team, web]",
    ),
    "notify.url": Rule(
        "an http or https URL with a host, in ASCII, without blanks, user or password, of at most 2000 characters",
        "correct it; what needs more than a URL is done by a command",
    ),
    "notify.never": Rule("at least one event: {known}", "name one, or remove on for all but promoted"),
    "notify.long": Rule("at most {most} bytes in all", "put long commands into a script, and name that"),
    # A declared check that can never fire, or never pass, stops a rollout before it starts.
    "lint.unused": Rule("a step that judges {check}", "give a step a hold, name the check in one, or remove it"),
    "lint.no_hold": Rule(
        "no checks in a step without a hold: there is no time to judge in", "give the step a hold, or remove its checks"
    ),
    "lint.requests": Rule(
        "no min_requests in a step without a hold that judges nothing", "give the step a hold, or remove min_requests"
    ),
    "lint.min_hold": Rule(
        "a check with judge: sequential in this step, to say that canary is no worse", "name one, or remove min_hold"
    ),
    "lint.slow": Rule(
        "at most {limit} for {in_a_row}: {step} ends before it can pass or fail",
        "measure more often, lower in_a_row, or hold longer",
    ),
    "lint.baseline": Rule(
        "a step with a hold before the one of 100 %, to compare with", "give the step before it a hold, or use max"
    ),
    "lint.max": Rule("less than 100: no share of errors is above it", "lower it, such as max: 1 (percent)"),
    "lint.min": Rule("more than 0: no share of errors is below it", "remove it, or use max"),
    # The inventory.
    "fleet.no_group": Rule("a group of the inventory", "{hint}"),
    "fleet.empty": Rule("a group with hosts", "add hosts to the group {group}"),
    "fleet.no_router": Rule(
        "zdm_router on every router",
        "give {router} a zdm_router: {{type: haproxy, mode: servers}}, or name it in routers_ignore with a reason",
    ),
    "fleet.other_type": Rule("{key} only with type: {type}", "remove it, or change the type"),
    "fleet.log": Rule("one of ring, file and udp", "write where the lines can be read, such as log: {{ring: lb}}"),
    "fleet.same_page": Rule(
        "a page of each pool's own: {both} have one at this port, and would never differ",
        "remove port, for the pools' own ports; or give them hosts of their own",
    ),
    "fleet.untimed": Rule(
        "where HAProxy writes a line for each request, for {check}: its socket does not say how long they took",
        "let it, and add log: {{ring: lb}}, see docs/checks.md, or use signal: metrics",
    ),
    "fleet.uncounted": Rule(
        "where nginx writes a line for each request, for {check}: it counts nothing by itself",
        "let it, and add log: {{file: /var/log/nginx/zdm.log}}, see docs/checks.md, or use signal: metrics or http",
    ),
    "fleet.ignored": Rule("a router of the group {group}: {known}", "correct routers_ignore"),
    "fleet.all_ignored": Rule("at least one router that takes part", "take one off the list"),
    "fleet.address": Rule("a host name or address without blanks", "set zdm_address of {host}"),
    "fleet.server_twice": Rule(
        "each server's name once: {first} has it too",
        'tell them apart in the pools\' server, such as "{{host}}-{{pool}}"',
    ),
    "fleet.endpoint_twice": Rule(
        "each address and port once: {first} has it too",
        "give the pools different ports, or the hosts their zdm_address",
    ),
    # What was before, as the routers recorded it, and the way back to it.
    "past.disagree": Rule(
        "one end of that rollout on all routers: {said}",
        "run a rollout of the release that you want, which brings them together",
    ),
    "undo.nothing": Rule("a release that was promoted before, in the routers' records", "run a rollout"),
    "undo.moved": Rule(
        "all traffic at {pool}, where {release} was promoted: {shows}",
        "somebody moved it since: see history and status, then run a rollout of the release that you want",
    ),
    "undo.twice": Rule(
        "a release by name: the last rollout went back itself, to {release}",
        "name one with -e zdm_release=…: {known}",
    ),
    "undo.unknown": Rule("a release that served here: {known}", "correct it, or run a rollout of it"),
    "undo.gone": Rule(
        "a release that {pool} still has, or that a deploy hook can bring there",
        "bring it to {pool} yourself and run a rollout of it",
    ),
    "undo.sick": Rule(
        "a healthy member of {pool}, which has that release: there is none",
        "traffic stays where it is; make {pool} well, or run a rollout of that release",
    ),
    "retry.nothing": Rule("a last rollout that did not end with its release promoted: {said}", "run a rollout"),
    "retry.release": Rule(
        "no zdm_release with retry, which takes that of the last rollout", "remove it, or run a rollout of it"
    ),
    # The live routers.
    "plan.unread": Rule(
        "what this router does now", "see why it was not read, or name it in routers_ignore with a reason"
    ),
    "plan.answer": Rule(
        "{what}, as the agents of this zdm answer",
        "see of which zdm {router}'s agent is and what its agent.log says, or name it in routers_ignore with a reason",
    ),
    "plan.disagree": Rule(
        "all routers to serve from one pool: {others}",
        "see which pool is right, bring every router there with the module zdm.rollout.traffic, then plan again",
    ),
    "plan.unsettled": Rule(
        "0 or 100 %, or a record of zdm that says which pool is stable",
        "write initial: {pools} in the spec, or bring the router to 100 % of one pool with the module"
        " zdm.rollout.traffic",
    ),
    "plan.guard": Rule(
        "a resident guard on this router, as guard: resident says",
        "install it with the role zdm.rollout.router and see that it runs, or write guard: session",
    ),
    "plan.long": Rule(
        "a plan that its job can live through: holds and approvals take {takes}",
        "hold for less, or run it where it may live longer, and say so in max_run; or {ways}",
    ),
    "plan.endless": Rule(
        "an end to all waiting: step {step} waits for approval for as long as it takes",
        "give approve a timeout, or remove max_run",
    ),
    # What another run has parked here.
    "park.errand": Rule(
        "a rollout: run {run} of {owner} has parked release {release} here since {at}",
        "abort it first, then {value}; or take it up, by a rollout of its release",
    ),
    "park.release": Rule(
        "{release}, which run {run} of {owner} has parked here since {at}",
        "take that up (-e zdm_release={release}), or abort it first",
    ),
    "park.disagree": Rule(
        "all routers to have parked the same: {others}",
        "bring all back with the playbook abort, then run it anew (a rollout that finds this brings them back itself)",
    ),
    "park.steps": Rule(
        "the steps with which run {run} was parked, in step {step}",
        "take it up with the spec as it was then; or abort it first, and begin anew with these",
    ),
    # When finish lets nothing go.
    "retire.busy": Rule(
        "no rollout that has both pools in its hands: run {run} of {owner} has",
        "wait for its end, or end it with the playbook abort",
    ),
    "retire.both": Rule(
        "one pool with all traffic on all routers", "bring the rollout to its end: rollout, or abort, then finish"
    ),
    "retire.nothing": Rule(
        "a rollout that ended here, since which the other pool is kept",
        "nothing is to be done before the first rollout",
    ),
    "retire.early": Rule(
        "an end at least {kept} ago: that is how long the old pool is kept warm, until {free}",
        "run it then; or, if nobody will want to go back, with a shorter {key}",
    ),
    "plan.sick": Rule(
        "a healthy member in {pool}, which serves now: there would be nothing to go back to",
        "bring it up; or, if the new release is what helps, write on_sick_stable: leave",
    ),
    "plan.rules": Rule(
        "a router that leads requests by {rules}: those that zdm manages do, once the role router has run with them",
        "run the role router on {router} (its guard may be an older one, too), or remove {rules} from the spec",
    ),
    "plan.close": Rule(
        "a router that can close what is under way at canary: HAProxy does",
        "write on_revert: keep; what lasts then goes on at canary's members until it ends, or they are stopped",
    ),
    "plan.locked": Rule(
        "no lock on the routers: {router} was locked at {at}{why}",
        "when that is over, unlock it: the playbook zdm.playbooks.unlock",
    ),
    "plan.share": Rule(
        "a share that {router} can hold: it would give {achieved} %", "change the step's weight to {nearest}"
    ),
}


def problem(rule: str, key: str, value: Any = None, **words: object) -> Problem:
    """The Problem of breaking ``rule`` at the path ``key``; KeyError for a rule or a word that is missing."""
    path = printable(key)
    told = {word: printable(str(text)) for word, text in words.items()}
    filled = {"key": path.rsplit(".", 1)[-1], "value": shown(value), **told}
    expected, next_step = RULES[rule]
    return Problem(path, value, expected.format(**filled), next_step.format(**filled), rule)
