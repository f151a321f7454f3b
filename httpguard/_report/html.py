"""The report as one self-contained page."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from .._model.kinds import MORE
from .._model.leak import LeakKind
from .._model.words import many
from .result import shorten, what_leaked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .example import Step
    from .result import Report, Trend

_WIDTH: Final = 160
_HEIGHT: Final = 28
_CODE: Final = re.compile(r"`([^`]*)`")


def render(report: Report, root: str) -> str:
    """The page, file names relative to a directory; what a log has is escaped."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bars": bars,
        "many": many,
        "number": lambda number: f"{number:,}",
        "time": lambda time: f"{time:%Y-%m-%d %H:%M:%S}" if time else "unknown",
        "short": lambda filename: shorten(filename, root),
        "more": MORE.__getitem__,
        "noun": what_leaked,
        "prose": prose,
        "runs": runs,
    }
    # A kind is part of a style: none but those that are known.
    shown = {site.kind for site in report.sites}
    kinds = [kind for kind in LeakKind if kind.value in shown]
    text = (files(__package__) / "report.html").read_text("utf-8")
    return environment.from_string(text).render(
        report=report, kinds=kinds, width=_WIDTH, height=_HEIGHT
    )


def prose(text: str) -> str:
    """A text as markup, what it has in backticks as code."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S704  # Escaped.


def runs(stack: Sequence[Step]) -> list[dict[str, Any]]:
    """The application's own frames with the first one below them, and the others."""
    last = max((n for n, step in enumerate(stack) if step.application), default=-2)
    found = groupby(
        enumerate(stack),
        key=lambda pair: not pair[1].application and pair[0] != last + 1,
    )
    return [
        {"folded": folded, "steps": [step for _, step in steps]}
        for folded, steps in found
    ]


def bars(trend: Trend) -> list[dict[str, Any]]:
    top = max(trend.leaks, default=0)
    if not top:
        return []
    step = _WIDTH / len(trend.leaks)
    return [
        {
            "x": round(at * step, 2),
            "y": round(_HEIGHT - _HEIGHT * number / top, 2),
            "width": round(max(step - 1, 1), 2),
            "height": round(_HEIGHT * number / top, 2),
            "leaks": number,
        }
        for at, number in enumerate(trend.leaks)
        if number
    ]
