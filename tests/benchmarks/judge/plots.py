# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines on two logarithmic axes, as SVG. Pure: points in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite, log10

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 60, 130, 34, 48
COLOURS = ("#0b6e99", "#c2571a", "#6b6b6b", "#3d7d3d")

Points = Sequence[tuple[float, float]]


def plot(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """The plot; what is not finite is left out, and a line without a point is only named."""
    points = [point for each in lines.values() for point in each if isfinite(point[1]) and point[1] > 0]
    xs, ys = _decades([x for x, dummy in points]), _decades([y for dummy, y in points])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"',
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(across)}</text>',
        f'<text transform="translate(14 {HEIGHT // 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
    ]
    for decade in range(xs[0], xs[1] + 1):
        x = _place(10.0**decade, xs, LEFT, WIDTH - RIGHT)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{10.0**decade:g}</text>')
    for decade in range(ys[0], ys[1] + 1):
        y = _place(10.0**decade, ys, HEIGHT - BOTTOM, TOP)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**decade:g}</text>')
    for place, ((name, each), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        parts += _line(each, colour, xs, ys)
        y = TOP + 20 * place
        parts.append(f'<rect x="{WIDTH - RIGHT + 12}" y="{y}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 32}" y="{y + 7}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _line(points: Points, colour: str, xs: tuple[int, int], ys: tuple[int, int]) -> list[str]:
    there = [
        (_place(x, xs, LEFT, WIDTH - RIGHT), _place(y, ys, HEIGHT - BOTTOM, TOP))
        for x, y in points
        if isfinite(y) and y > 0
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in there)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in there]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten that hold them all."""
    if not values:
        return 0, 1
    low, high = log10(min(values)), log10(max(values))
    first = int(low // 1)
    return first, max(first + 1, int(-(-high // 1)))


def _place(value: float, decades: tuple[int, int], begin: float, end: float) -> float:
    return begin + (end - begin) * (log10(value) - decades[0]) / (decades[1] - decades[0])
