# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's configuration files as directives: words, blocks, and where each stands.

Rules of this room: pure; text goes in. nginx has accepted it, so nothing is checked here. ``nginx -T`` shows each file
once, behind a line of its own that names it, and leaves ``include`` as it is written: here it is followed.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Tuple

MARK = re.compile(r"^# configuration file (.+):$", re.MULTILINE)
#: Blocks whose inside is another language.
FOREIGN = re.compile(r"\w+_by_lua_block\Z")
#: Files that include one another in a circle are refused by nginx; a dump of something else is not read for ever.
DEEPEST = 50


@dataclass(frozen=True)
class Directive:
    """``words`` without their quotes, from ``start`` to ``end`` of the text of ``file``; ``inside`` of a block, else
    None."""

    words: Tuple[str, ...]
    file: str
    start: int
    end: int
    inside: Optional[Tuple[Directive, ...]] = None

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def arguments(self) -> Tuple[str, ...]:
        return self.words[1:]

    def all(self, *names: str) -> List[Directive]:
        """The directives of these names right inside."""
        return [each for each in self.inside or () if each.name in names]

    def last(self, name: str) -> Optional[Directive]:
        found = self.all(name)
        return found[-1] if found else None

    def has(self, name: str) -> bool:
        return bool(self.all(name))


def files(dump: str) -> Dict[str, str]:
    """What ``nginx -T`` says, by file; the first is the main one."""
    parts = MARK.split(dump)
    return {path: text.lstrip("\n") for path, text in zip(parts[1::2], parts[2::2])}


def tree(texts: Mapping[str, str]) -> Directive:
    """The whole configuration as one block, with what is included in its place."""
    main = next(iter(texts), "")
    return Directive(("",), main, 0, 0, tuple(_expanded(parse(texts.get(main, ""), main), texts, main, 0)))


def parse(text: str, file: str = "") -> Tuple[Directive, ...]:
    """The directives of one text; what is cut off at its end is left out."""
    return _block(list(_tokens(text)), 0, file)[0]


def included(pattern: str, texts: Mapping[str, str], main: str) -> List[str]:
    """The files that ``include pattern`` takes in: relative to the main file's directory."""
    wanted = os.path.normpath(os.path.join(os.path.dirname(main), pattern))
    return [path for path in texts if fnmatch.fnmatchcase(os.path.normpath(path), wanted) and _same_depth(path, wanted)]


def _same_depth(path: str, pattern: str) -> bool:
    """A star of nginx's stops at a slash."""
    return os.path.normpath(path).count("/") == pattern.count("/")


def _expanded(
    directives: Tuple[Directive, ...], texts: Mapping[str, str], main: str, depth: int
) -> Iterator[Directive]:
    for each in directives:
        if each.name == "include" and each.arguments and depth < DEEPEST:
            for path in included(each.arguments[0], texts, main):
                yield from _expanded(parse(texts[path], path), texts, main, depth + 1)
        elif each.inside is not None:
            inside = tuple(_expanded(each.inside, texts, main, depth + 1))
            yield Directive(each.words, each.file, each.start, each.end, inside)
        else:
            yield each


#: Kind (word, or the sign itself), text, start, end.
_Token = Tuple[str, str, int, int]


def _block(tokens: List[_Token], at: int, file: str) -> Tuple[Tuple[Directive, ...], int]:
    found: List[Directive] = []
    words: List[str] = []
    start = 0
    while at < len(tokens):
        kind, text, begin, end = tokens[at]
        at += 1
        if kind == "word":
            start = start if words else begin
            words.append(text)
        elif kind == ";":
            if words:
                found.append(Directive(tuple(words), file, start, end))
            words = []
        elif kind == "{":
            inside, at = _block(tokens, at, file)
            until = tokens[at - 1][3] if at else end
            if words:
                found.append(Directive(tuple(words), file, start, until, inside))
            words = []
        else:
            break
    return tuple(found), at


def _tokens(text: str) -> Iterator[_Token]:
    at, size, last = 0, len(text), ""
    while at < size:
        sign = text[at]
        if sign.isspace():
            at += 1
        elif sign == "#":
            end = text.find("\n", at)
            at = size if end < 0 else end
        elif sign in ";{}":
            yield sign, sign, at, at + 1
            at += 1
            if sign == "{" and FOREIGN.match(last):
                at = _foreign_end(text, at)
            last = ""
        else:
            end, word = _quoted(text, at) if sign in "'\"" else _word(text, at)
            yield "word", word, at, end
            last, at = word, end


def _quoted(text: str, at: int) -> Tuple[int, str]:
    quote, kept, at = text[at], "", at + 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\" and at + 1 < len(text):
            kept += text[at + 1] if text[at + 1] in "\"'\\" else text[at : at + 2]
            at += 2
        else:
            kept += text[at]
            at += 1
    return min(at + 1, len(text)), kept


def _word(text: str, at: int) -> Tuple[int, str]:
    """A word ends at a blank, at ``;`` and at ``{``, but not at that of ``${name}``."""
    begin = at
    while at < len(text) and not text[at].isspace() and text[at] != ";":
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            if text[at - 1] != "$":
                break
            end = text.find("}", at)
            at = end if end > 0 else at
        at += 1
    return min(at, len(text)), re.sub(r"\\([\"'\\])", r"\1", text[begin:at])


def _foreign_end(text: str, at: int) -> int:
    """Where the block ends whose ``{`` was before ``at``: at its own ``}``."""
    depth = 1
    for place in range(at, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place
    return len(text)
