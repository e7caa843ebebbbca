# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversations with sudo and su: what was heard, what is answered, and how each of them ends."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.zdm.rollout.plugins.plugin_utils._become import MOST, Become, BecomeError, Dialogue

SUDO = Become(
    method="sudo",
    success="BECOME-SUCCESS-abc",
    prompt=r"\[sudo\ via\ ansible,\ key=abc\]\ password:",
    incorrect=("Sorry, try again.",),
    missing=("sudo: a password is required",),
    password="geheim",
)
PROMPT = b"[sudo via ansible, key=abc] password:"
MARKER = b"BECOME-SUCCESS-abc\n"
LECTURE = b"We trust you have received the usual lecture from the local System\nAdministrator.\n\n"


def answers(dialogue: Dialogue, *heard: Tuple[str, bytes]) -> bytes:
    """All that is answered to what is heard, byte by byte until the dialogue is over."""
    said = b""
    for stream, data in heard:
        for byte in data:
            said += dialogue.hear(stream, bytes([byte]))
    return said


def test_a_password_is_given_to_the_prompt_and_the_marker_ends_it() -> None:
    dialogue = Dialogue(SUDO)
    assert answers(dialogue, ("err", LECTURE)) == b""
    assert answers(dialogue, ("err", PROMPT)) == b"geheim\n"
    assert not dialogue.over
    assert answers(dialogue, ("out", b"a motd\n" + MARKER)) == b""
    assert dialogue.over


def test_who_is_not_asked_gives_nothing() -> None:
    """The password would be the agent's first line, and its complaint would show it."""
    dialogue = Dialogue(SUDO)
    assert answers(dialogue, ("err", LECTURE), ("out", MARKER)) == b""
    assert dialogue.over


def test_a_prompt_on_the_other_stream_is_one_as_well() -> None:
    dialogue = Dialogue(SUDO)
    assert answers(dialogue, ("out", b"welcome\n" + PROMPT), ("out", MARKER)) == b"geheim\n"
    assert dialogue.over


def test_nothing_is_heard_after_the_marker() -> None:
    dialogue = Dialogue(SUDO)
    answers(dialogue, ("out", MARKER))
    with pytest.raises(ValueError, match="is for the agent"):
        dialogue.hear("out", b"{")


def test_half_a_marker_or_one_among_complaints_is_none() -> None:
    dialogue = Dialogue(SUDO)
    answers(dialogue, ("out", MARKER[:-1]), ("err", MARKER))
    assert not dialogue.over


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ([("err", PROMPT), ("err", b"\nSorry, try again.\n")], r"Sorry, try again. \(the password is wrong\)$"),
        ([("err", PROMPT), ("err", b"\nDas war falsch.\n" + PROMPT)], r"Das war falsch. \(it asks .* a second time"),
        ([("err", b"sudo: a password is required\n")], r"a password is required \(it needs a password"),
        ([("out", b"x" * (MOST + 1))], r"more than %d bytes before the agent" % MOST),
    ],
    ids=["told", "asked twice", "missing", "endless"],
)
def test_a_refusal_ends_it_with_what_was_said(heard: List[Tuple[str, bytes]], reason: str) -> None:
    with pytest.raises(BecomeError, match=r"(?s)^become method sudo: .*" + reason):
        answers(Dialogue(SUDO), *heard)


def test_who_has_no_password_answers_no_prompt() -> None:
    dialogue = Dialogue(replace(SUDO, prompt="", password=""))
    assert answers(dialogue, ("err", PROMPT)) == b""


def test_a_prompt_in_another_language_is_known_by_its_words() -> None:
    su = Become("su", "BECOME-SUCCESS-abc", prompt="(?:Password|Heslo|密码) ?[:：]", password="geheim")
    for asked in ("Password: ", "heslo:", "密码："):
        assert answers(Dialogue(su), ("err", asked.encode())) == b"geheim\n"
    assert answers(Dialogue(su), ("err", b"Passwords are a thing of the past\n")) == b""


def test_what_was_said_is_told_without_prompt_marker_and_password() -> None:
    dialogue = Dialogue(SUDO)
    answers(dialogue, ("err", b"one\ntwo\n" + PROMPT), ("err", b"you said geheim\n"), ("out", MARKER))
    assert dialogue.end() == "become method sudo: one: two: you said ********"


def test_it_survives_the_desk_and_its_password_no_repr() -> None:
    assert Become.from_json(json.loads(json.dumps(SUDO.to_json()))) == SUDO
    assert "geheim" not in repr(SUDO)


@given(st.lists(st.tuples(st.sampled_from(["out", "err"]), st.binary(max_size=30)), max_size=20))
def test_noise_is_never_given_the_password(noise: List[Tuple[str, bytes]]) -> None:
    """The prompt has a random key in it: nothing that does not know it is told anything."""
    dialogue = Dialogue(SUDO)
    assert answers(dialogue, *noise) == b""
    assert not dialogue.over


@given(st.binary(max_size=60).filter(lambda data: b"BECOME" not in data), st.integers(1, 40))
def test_how_it_is_cut_into_pieces_makes_no_difference(before: bytes, size: int) -> None:
    dialogue, said = Dialogue(SUDO), []
    for whole in (before + b"\n" + PROMPT, b"\n" + MARKER):
        said += [dialogue.hear("out", whole[start : start + size]) for start in range(0, len(whole), size)]
    assert dialogue.over
    assert b"".join(said) == b"geheim\n"
