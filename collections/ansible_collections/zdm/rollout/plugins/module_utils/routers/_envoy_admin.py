# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's admin socket: one question, its JSON answer, or an error that names the socket.

What an answer means is none of this file's business. Nothing but GET is sent: zdm changes Envoy by files only,
because what is ordered at the admin socket is lost at a restart.
"""

from __future__ import annotations

import json
import re
import socket
from typing import Any, Dict, Optional, Sequence, Tuple
from urllib.parse import urlencode

from ._envoy_http import Connection
from .api import Refused, Unreachable

#: Statistics of a subscription that are read, after its prefix.
FIELDS = "version_text|update_(attempt|success|failure|rejected)|config_reload"

#: Where the bootstrap does not say it.
FLUSH_SECONDS = 5.0
#: Names of Envoy's resources in a dump of its configuration.
ROUTE_CONFIGS, CLUSTERS = "dynamic_route_configs", "dynamic_active_clusters"


class NotRunning(Unreachable):
    """Nobody is at the socket: Envoy does not run, so that files may be made ready for its start."""


class Admin:
    """The admin socket at ``path``; ``timeout`` in seconds is for each wait."""

    def __init__(self, path: str, timeout: float = 2.0) -> None:
        self.path = path
        self.timeout = timeout
        self._kept: Optional[Connection] = None

    def dump(self, resource: str, names: Sequence[str]) -> Dict[str, Dict[str, Any]]:
        """The entries of the running configuration by the name of their resource."""
        entries = self.dump_all(resource, _any_of(names))
        return {(entry.get("route_config") or entry.get("cluster") or {}).get("name", ""): entry for entry in entries}

    def dump_all(self, resource: str, names: str = ".*") -> Sequence[Dict[str, Any]]:
        """The entries of the running configuration whose names match a regular expression."""
        entries: Sequence[Dict[str, Any]] = self.get("/config_dump", {"resource": resource, "name_regex": names}).get(
            "configs", ()
        )
        return entries

    def hosts(self) -> Dict[str, Sequence[Dict[str, Any]]]:
        """The hosts of every cluster, with health and counters."""
        clusters = self.get("/clusters", {"format": "json"}).get("cluster_statuses", ())
        return {entry["name"]: entry.get("host_statuses", ()) for entry in clusters}

    def histograms(self, names: Sequence[str]) -> Dict[str, Sequence[Dict[str, Any]]]:
        """The bins of histograms by name, since Envoy began to count: ``lower_bound, width, count``."""
        query = {"format": "json", "histogram_buckets": "detailed", "filter": _any_of(names)}
        entries = self.get("/stats", query).get("stats", ())
        found = [detail for entry in entries for detail in entry.get("histograms", {}).get("details", ())]
        return {detail["name"]: detail.get("totals", ()) for detail in found}

    def flush_seconds(self) -> float:
        """How often histograms are brought up to date."""
        dump = self.get("/config_dump", {"mask": "bootstrap.stats_flush_interval"})
        found = [entry.get("bootstrap", {}).get("stats_flush_interval") for entry in dump.get("configs", ())]
        return float(found[0].rstrip("s")) if found and found[0] else FLUSH_SECONDS

    def subscription(self, prefix: str) -> Dict[str, Any]:
        """Version and counters of what Envoy subscribes to under ``prefix``; empty where it does not."""
        query = {"format": "json", "filter": r"^%s\.(%s)$" % (re.escape(prefix), FIELDS)}
        entries = self.get("/stats", query).get("stats", ())
        return {entry["name"][len(prefix) + 1 :]: entry["value"] for entry in entries if "name" in entry}

    def get(self, path: str, query: Dict[str, str]) -> Any:
        """The JSON answer; Unreachable when there is none, Refused for any status but 200."""
        target = "%s?%s" % (path, urlencode(query))
        try:
            status, body = self._asked(target)
        except FileNotFoundError as error:
            raise NotRunning(
                "Envoy's admin socket %s does not exist: start Envoy (role zdm.rollout.router), "
                "or name the socket it has as zdm_router.admin" % self.path
            ) from error
        except PermissionError as error:
            raise Unreachable(
                "Envoy's admin socket %s may not be opened by this user: run as the user that Envoy runs as, or as root"
                % self.path
            ) from error
        except ConnectionRefusedError as error:
            raise NotRunning(
                "nobody listens at Envoy's admin socket %s: Envoy is not running, start it (role zdm.rollout.router)"
                % self.path
            ) from error
        except socket.timeout as error:
            raise Unreachable("Envoy did not answer at %s within %g s" % (self.path, self.timeout)) from error
        except OSError as error:
            raise Unreachable("Envoy's admin socket %s: %s" % (self.path, error)) from error
        if status != 200:
            raise Refused(
                "Envoy's admin socket %s answered %d to GET %s: %s"
                % (self.path, status, path, body[:200].decode("utf-8", "replace").strip())
            )
        try:
            return json.loads(body)
        except ValueError as error:
            raise Refused(
                "Envoy's admin socket %s answered GET %s with something that is no JSON: %r"
                % (self.path, path, body[:80])
            ) from error

    def _asked(self, target: str) -> Tuple[int, bytes]:
        """Over the connection that is kept, or over a new one: Envoy ends one that was idle, or itself."""
        if self._kept is not None:
            try:
                return self._over(self._kept, target)
            except ConnectionError:
                pass  # silence is an answer, and not asked for twice
        self._kept = Connection(self.path, self.timeout)
        return self._over(self._kept, target)

    def _over(self, connection: Connection, target: str) -> Tuple[int, bytes]:
        try:
            return connection.get(target)
        except OSError:
            self._kept = None
            connection.close()
            raise


def _any_of(names: Sequence[str]) -> str:
    return "^(%s)$" % "|".join(re.escape(name) for name in names)
