# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run was asked to do: the spec as read from its file, and the fleet that the inventory makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _document
from ._errand import ROLLOUT, Errand, sent
from ._fleet import Fleet, resolve
from ._problem import SpecError
from ._rules import problem
from ._spec import Spec, parse


@dataclass(frozen=True)
class Request:
    """``document`` is the spec as loaded, ``deploy_tasks`` the absolute path of the deploy hook's tasks or "".

    ``retire_tasks`` is that of the hook retire.
    ``release`` takes the place of the spec's; None: it is the spec's own.
    """

    document: Mapping[str, Any]
    errand: Errand
    release: str | None
    spec: Spec
    fleet: Fleet
    deploy_tasks: str
    retire_tasks: str


def read_request(
    path: str,
    release: str,
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    verb: str = ROLLOUT,
    again: bool = False,
) -> Request:
    """Read the spec at ``path``; SpecError with all that is wrong. An empty ``release`` is the spec's own.

    With a verb that finds its release in the past, the spec's own says nothing.
    """
    document = _load(Path(path))
    errand = sent(verb, release, again)
    named = release or (f"({verb})" if errand.looks_back else None)
    spec = parse(document, named)
    tasks = _tasks(path, "deploy", spec.deploy_tasks), _tasks(path, "retire", spec.retire_tasks)
    return Request(document, errand, named, spec, resolve(spec, groups, hostvars), *tasks)


def _tasks(spec: str, hook: str, written: str | None) -> str:
    """The absolute path of a hook's tasks, which are relative to the spec; empty where it has none."""
    if not written:
        return ""
    tasks = (Path(spec).absolute().parent / written).resolve()
    if not _is_file(tasks):
        raise SpecError([problem("file.tasks", f"hooks.{hook}.tasks", written, path=str(tasks))])
    return str(tasks)


def read_spec(path: str) -> Spec:
    """The spec at ``path`` alone, whatever the inventory has; SpecError."""
    document = _load(Path(path))
    unnamed = isinstance(document, Mapping) and "release" not in document
    return parse(document, "any" if unnamed else None)


def _load(path: Path) -> Any:
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        # A name with a NUL in it is a ValueError.
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError([problem("file.spec", "zdm_spec", str(path), reason=reason)]) from None
    return _document.load(text, str(path))


def _is_file(path: Path) -> bool:
    """Whether there is one; a name that is longer than any may be is nobody's."""
    try:
        return path.is_file()
    except OSError:
        return False
