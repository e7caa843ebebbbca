# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration as it is read: words, blocks, includes; and what is said of it."""

from __future__ import annotations

import pytest

from ansible_collections.zdm.rollout.plugins.module_utils.routers import _nginx_config as config
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_describe import describe

#: Text, and the words that nginx makes of it (ngx_conf_read_token).
WORDS = {
    "plain": ("listen 80 default_server;", [("listen", "80", "default_server")]),
    "two in a line": ("a 1;b 2;", [("a", "1"), ("b", "2")]),
    "over lines": ("log_format x\n  'a'\n  'b';", [("log_format", "x", "a", "b")]),
    "a comment": ("# server 1;\na 1; # b 2;\n", [("a", "1")]),
    "no comment inside a word": ("a b#c;", [("a", "b#c")]),
    "quotes": ("a \"x;{y}\" 'z # w';", [("a", "x;{y}", "z # w")]),
    "an escaped quote": (r'a "x\"y" x\ y;', [("a", 'x"y', r"x\ y")]),
    "a variable in braces": ("return 200 ${host}x;", [("return", "200", "${host}x")]),
    "an empty word": ('a "";', [("a", "")]),
    "cut off": ("a 1; b", [("a", "1")]),
}


@pytest.mark.parametrize("case", WORDS)
def test_words(case: str) -> None:
    text, words = WORDS[case]
    assert [each.words for each in config.parse(text)] == words


def test_blocks_and_where_they_stand() -> None:
    text = "http {\n  server { listen 80; location ~ ^/a { return 204; } }\n  # }\n}\nx 1;"
    http, x = config.parse(text, "nginx.conf")
    assert text[http.start : http.end] == text.partition("\nx 1;")[0]
    (server,) = http.all("server")
    assert [each.name for each in server.inside or ()] == ["listen", "location"]
    assert server.all("location")[0].arguments == ("~", "^/a")
    assert (x.words, x.inside, x.file) == (("x", "1"), None, "nginx.conf")


def test_another_language_inside_a_block_is_passed_over() -> None:
    lua = "content_by_lua_block { if x then return ';' end; t = {} }"
    (location,) = config.parse("location / { %s proxy_pass http://w; }" % lua)
    assert [each.name for each in location.inside or ()] == ["content_by_lua_block", "proxy_pass"]


DUMP = """\
# configuration file /etc/nginx/nginx.conf:
http {
    include conf.d/*.conf;
    include /opt/more.conf;
    include conf.d/none-*.conf;
}

# configuration file /etc/nginx/conf.d/web.conf:
upstream web { include /etc/nginx/web.servers; }
include deep.conf;

# configuration file /etc/nginx/web.servers:
server 10.0.0.1;

# configuration file /etc/nginx/deep.conf:
upstream deep { server 10.0.0.2:81; }

# configuration file /etc/nginx/conf.d/sub/not.conf:
upstream not { server 10.0.0.3; }

# configuration file /opt/more.conf:
upstream more { server 10.0.0.4; }
"""


def test_includes_are_followed_as_nginx_does() -> None:
    """Relative to the main file's directory, also from another one; a star stops at a slash."""
    texts = config.files(DUMP)
    assert list(texts) == [
        "/etc/nginx/nginx.conf",
        "/etc/nginx/conf.d/web.conf",
        "/etc/nginx/web.servers",
        "/etc/nginx/deep.conf",
        "/etc/nginx/conf.d/sub/not.conf",
        "/opt/more.conf",
    ]
    (http,) = config.tree(texts).all("http")
    assert [each.arguments[0] for each in http.all("upstream")] == ["web", "deep", "more"]
    (server,) = http.all("upstream")[0].all("server")
    assert (server.file, server.words) == ("/etc/nginx/web.servers", ("server", "10.0.0.1"))


def test_a_circle_of_includes_ends() -> None:
    circle = "# configuration file /n/a.conf:\ninclude b.conf;\n# configuration file /n/b.conf:\ninclude a.conf; x 1;\n"
    assert config.tree(config.files(circle)).has("x")


def described(http: str, more: str = "") -> list[str]:
    dump = "# configuration file /etc/nginx/nginx.conf:\n%s\nhttp { %s }\n" % (more, http)
    return [limit.what for limit in describe(dump, "nginx 1.22.1", 2).limits]


def test_what_is_not_of_http_is_told_of() -> None:
    (said,) = (what for what in described("", "stream { upstream db { server 10.0.0.9:5432; } }") if "stream" in what)
    assert said.startswith("stream {} (db): zdm divides requests, not connections")


def test_nothing_secret_is_kept() -> None:
    dump = (
        "# configuration file /etc/nginx/nginx.conf:\n"
        "http { upstream web { server 10.0.0.1:80; } server { listen 80; location / { proxy_pass http://web; "
        'proxy_set_header Authorization "Basic c2VjcmV0"; auth_basic_user_file /etc/secret; } } }\n'
    )
    assert "c2VjcmV0" not in str(describe(dump, "nginx", 1).to_json())
