# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker of nginx sees, asked at zdm's own socket of it: which pool a bucket goes to, and which version runs."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from . import _nginx_documents as documents
from ._envoy_http import Connection
from .api import Service, Unreachable, Unsupported
from .rules import MATCH, PREVIEW

TIMEOUT = 5.0


class NotRunning(Unreachable):
    """Nobody listens at the socket."""


class Asked(NamedTuple):
    """A request: its bucket, and the sets of rules that it is in."""

    bucket: Optional[int] = None
    match: bool = False
    preview: bool = False

    @property
    def target(self) -> str:
        words = [] if self.bucket is None else ["bucket=%d" % self.bucket]
        words += [word for word, is_in in (("match=match", self.match), ("preview=preview", self.preview)) if is_in]
        return "/?" + "&".join(words)

    @classmethod
    def of_set(cls, bucket: Optional[int], name: str) -> Asked:
        return cls(bucket, name == MATCH, name == PREVIEW)


class Status:
    """The socket at ``path``."""

    def __init__(self, path: str) -> None:
        self._path = path

    def common(self) -> str:
        """The version of http.conf that runs; NotRunning, Unreachable."""
        return self._get("", [Asked()])[0]

    def version(self, service: str) -> str:
        """The version of a service's documents that run; empty where nginx does not know it."""
        said = self._get(documents.status_name(service), [Asked()])[0]
        return said.partition(" ")[0] if " " in said else ""

    def pools(self, service: Service, asked: Sequence[Asked]) -> List[str]:
        """The version that runs, and the pool that each of these requests would go to."""
        names: Mapping[str, str] = {documents.upstream_name(service.name, pool): pool for pool in service.pools}
        said = [answer.split() for answer in self._get(documents.status_name(service.name), asked or [Asked()])]
        for words in said:
            if len(words) != 2:
                raise Unsupported(
                    "nginx does not know service %s: make it known with the module zdm.rollout.service" % service.name
                )
            if words[1] not in names:
                raise Unsupported(
                    "nginx sends requests of service %s to %s, which is none of its pools (%s): make it known anew "
                    "with the module zdm.rollout.service" % (service.name, words[1], ", ".join(sorted(service.pools)))
                )
        return [said[0][0], *(names[words[1]] for words in said)]

    def _get(self, host: str, asked: Sequence[Asked]) -> List[str]:
        try:
            connection = Connection(self._path, TIMEOUT, host or "zdm")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(
                "nobody answers at nginx's socket %s: start nginx, with a line 'include %s/http.conf;' in its http {}"
                % (self._path, self._path.rpartition("/")[0])
            ) from error
        except OSError as error:
            raise Unreachable("nginx's socket %s cannot be used: %s" % (self._path, error.strerror or error)) from error
        found: Dict[Asked, str] = {}
        try:
            for each in asked:
                if each not in found:
                    status, body = connection.get(each.target)
                    if status != 200:
                        raise Unsupported("nginx answered %d at its socket %s: expected 200" % (status, self._path))
                    found[each] = body.decode("utf-8", "replace").strip()
        except OSError as error:
            raise Unreachable("nginx does not answer at its socket %s: %s" % (self._path, error)) from error
        finally:
            connection.close()
        return [found[each] for each in asked]
