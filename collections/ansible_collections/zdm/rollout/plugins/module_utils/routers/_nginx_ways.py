# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that make an nginx of somebody's own a managed one, so that a change of the split needs no reload.

Rules of this room: pure. The names are those of the documents that zdm writes (_nginx_documents.py); which pool a
request goes to is asked in the user's own server, by the same words as in zdm's.
"""

from __future__ import annotations

from typing import Iterator, Sequence

from ._nginx_documents import upstream_name, word
from ._nginx_share import pair

CONFIG, LOGS = "/etc/zdm/nginx", "/var/log/zdm-nginx"
#: zdm's documents have a server of each service's own; nobody needs to come by it.
LISTEN = "127.0.0.1:8480"


def managed(service: str, pools: Sequence[str], upstream: str, main: str) -> Iterator[str]:
    """What to write, a line each; ``main`` is nginx's configuration file."""
    first, second = pair(list(pools))
    name = word(service)
    yield "zdm_router: {type: nginx, mode: managed, nginx_conf: %s, services: {%s: {listen: %s}}}" % (
        main,
        service,
        '"%s"' % LISTEN,
    )
    yield "http {}:      include %s/http.conf;" % CONFIG
    yield "server {} whose location has `proxy_pass http://%s`:" % upstream
    yield "              open_file_cache off;"
    yield "              set $zdm_service %s;" % service
    yield "              set $zdm_bucket $zdm_%s_bucket;" % name
    yield "              set $zdm_pool %s;" % upstream_name(service, first)
    yield "              if (-f %s/split/%s/current/$zdm_bucket.%s) { set $zdm_pool %s; }" % (
        CONFIG,
        service,
        second,
        upstream_name(service, second),
    )
    yield "that location: access_log %s/%s.log zdm;" % (LOGS, service)
    yield "              proxy_pass http://$zdm_pool;"
