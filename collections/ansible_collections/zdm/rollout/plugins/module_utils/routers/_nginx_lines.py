# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lines of nginx's access log say: tries, failed tries and times of each server.

Rules of this room: pure; bytes in, counts out.

Theory of operation. nginx writes a line when a request is over. What it tells of its tries is lists, one entry a try:
``a, b`` is a try at a and then one at b; ``a : b`` is the same after an internal redirect (``error_page``,
``X-Accel-Redirect``), in another group of servers. A try is of one of four kinds:

- It answered (there is a time of the head): well below 500, else failed (``http_5xx``), also with 504.
- nginx wrote the status itself: 504 is a time-out, 502 a connection that was refused, closed or answered with nonsense.
  Where no connection came about it is ``connect``; one that is refused from afar looks to nginx like one that was
  closed without an answer, and is of no kind. With no server left to try, the address is the name of the group.
- The last try of a request whose client went away (499) is not counted, whatever it had done so far: neither as a
  failed try nor as a good one, nor in the times. A pool that hangs while its clients lose patience so gets no evidence,
  which is never a pass, and its good record does not grow. The tries before it count. ``abandoned`` says how many.
- One without a status (``-``) has failed only when nginx answered the request with a 5xx of its own; otherwise it was
  the client's fault (a body that was cut) and is abandoned as well.

A status of 009 is nginx's word for an answer without a head: a failed try. What the log does not tell: a body that
breaks off after a good head counts as an answer. Times are those of tries that answered, whole milliseconds from their
begin to their end.

No line has anything that a client chose, so that nobody writes one from outside and nothing secret is in it.

Most lines say what another one has said already, but for the time of day and, of the one try that most have, when it
was connected and had its head. Without those the different ones of a block are counted first, and what one says is
worked out once.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Dict, List, Optional, Sequence, Tuple

from ._log_bins import bin_of
from .api import Bin, Counters

NAME = "zdm"
#: For nginx's ``http {}``. ``$zdm_service`` is ``set`` to the service's name where its requests are.
FORMAT = (
    "log_format " + NAME + ' escape=json \'{"t":$msec,"c":"$upstream_connect_time","h":"$upstream_header_time",'
    '"v":"$zdm_service","a":"$upstream_addr","u":"$upstream_status","r":"$upstream_response_time","s":"$status",'
    '"d":$request_time}\';'
)

LINE = re.compile(
    rb'^\{"t":[\d.]+,(?:"c":"[\d.]+","h":"[\d.]+",)?("[cv]":"[^\n]*"),"d":[\d.]+\}\n',
    re.MULTILINE,
)
FIELDS = re.compile(
    '(?:"c":"([^"]*)","h":"([^"]*)",)?"v":"([^"]*)","a":"([^"]*)","u":"([^"]*)","r":"([^"]*)","s":"([0-9]+)"'
)
BETWEEN = re.compile(", | : ")
#: What the times of connection and head are where LINE has left them out: some.
SOME = "0"
#: So many different lines are remembered.
REMEMBERED = 5_000

GOOD, FAILED, HTTP_5XX, CONNECT, TIMEOUT, ABANDONED = "good", "failed", "http_5xx", "connect", "timeout", "abandoned"
KINDS = (HTTP_5XX, CONNECT, TIMEOUT)
Place = Tuple[float, float]
#: Address, what came of it, the bin of its time where it answered.
Try = Tuple[str, str, Optional[Place]]


def tries(text: str, service: str) -> Optional[List[Try]]:
    """The tries of one line's fields, as LINE finds them; none of another service's. None where it cannot be read."""
    found = FIELDS.fullmatch(text)
    if found is None:
        return None
    connected, head, of, addresses, said, took, status = found.groups()
    if of != service or not addresses:
        return []
    lists = (addresses, said, connected or SOME, head or SOME, took)
    try:
        if " " not in text:
            return [_try(lists, int(status), last=True)]
        columns = [BETWEEN.split(each) for each in lists]
        if len({len(column) for column in columns}) > 1:
            return None
        # Between groups of servers nginx leaves an empty place where it had begun a group and tried nobody.
        rows = [row for row in zip(*columns) if row[0]]
        return [_try(row, int(status), last=index == len(rows) - 1) for index, row in enumerate(rows)]
    except ValueError:
        return None


def _try(row: Sequence[str], request: int, last: bool) -> Try:
    address, said, connected, head, took = row
    if last and request == 499:
        return address, ABANDONED, None
    if said == "-":
        return address, FAILED if last and request >= 500 else ABANDONED, None
    status = int(said)
    if head != "-":
        good = status < 500 and not (last and request == 9)
        outcome = GOOD if good else HTTP_5XX if status >= 500 else FAILED
        return address, outcome, bin_of(int(took.replace(".", "")))
    if connected == "-":
        return address, CONNECT, None
    return address, TIMEOUT if status == 504 else FAILED, None


class Totals:
    """What all lines said so far of one service's servers, by their addresses (``10.0.0.7:8080``, ``[::1]:8080``)."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._known: Dict[bytes, Optional[List[Try]]] = {}
        self._outcomes: Dict[str, Dict[str, int]] = {}
        self._times: Dict[str, Dict[Place, int]] = {}
        #: Lines that could not be read.
        self.passed_over = 0

    def add(self, lines: bytes) -> None:
        """Count whole lines. A piece without an end counts with the piece that has it."""
        different = Counter(LINE.findall(lines))
        self.passed_over += lines.count(b"\n") - sum(different.values())
        known = self._known
        for text, count in different.items():
            said = known[text] if text in known else self._learn(text)
            if said is None:
                self.passed_over += count
                continue
            for address, outcome, place in said:
                if address not in self._outcomes:
                    self._outcomes[address], self._times[address] = {}, {}
                outcomes, times = self._outcomes[address], self._times[address]
                outcomes[outcome] = outcomes.get(outcome, 0) + count
                if place is not None:
                    times[place] = times.get(place, 0) + count

    def counters(self) -> Dict[str, Counters]:
        """Tries that have ended, of every address that was seen."""
        found: Dict[str, Counters] = {}
        for address, outcomes in self._outcomes.items():
            kinds = {kind: outcomes.get(kind, 0) for kind in KINDS}
            failures = sum(kinds.values()) + outcomes.get(FAILED, 0)
            found[address] = Counters(failures + outcomes.get(GOOD, 0), failures, kinds)
        return found

    def times(self) -> Dict[str, List[Bin]]:
        """How long tries took that answered, by address, in seconds, by time."""
        return {
            address: [(low, high, count) for (low, high), count in sorted(bins.items())]
            for address, bins in self._times.items()
            if bins
        }

    def abandoned(self) -> Dict[str, int]:
        """Tries whose clients went away, which are in none of the others."""
        return {address: outcomes.get(ABANDONED, 0) for address, outcomes in self._outcomes.items()}

    def _learn(self, text: bytes) -> Optional[List[Try]]:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        said = self._known[text] = tries(text.decode("utf-8", "replace"), self._service)
        return said
