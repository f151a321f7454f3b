"""One leak out of a log: its request, its stack with source lines, its hint."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Frame
from .._model.redaction import MOST_SOURCE, printable, printable_within
from .._stacks.sites import source_line
from .lines import place_of, shown, whole

if TYPE_CHECKING:
    from .groups import Sample

_MOST_FRAMES: Final = 64
_MOST_HINT: Final = 500
_FRAME: Final = re.compile(r"  ([> ]) (.+):(\d+) in (.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """A frame of the stack; its source is empty where it is not known."""

    filename: str
    lineno: int
    function: str
    application: bool
    source: str


@dataclass(frozen=True, slots=True)
class Example:
    """What the log says of one leak; whatever it does not say is empty.

    Args:
        culprit: ``file:line in function`` that lost it, where that is not the site.
        stack: The outermost frame first.
        fields: The other fields of the leak and of its process, in the order in
            which a person wants them, then structlog's context.
    """

    method: str
    url: str
    status: str
    culprit: str
    held_by: str
    hint: str
    stack: tuple[Step, ...]
    fields: tuple[tuple[str, str], ...]

    @property
    def request(self) -> str:
        return f"{self.method} {self.url}".strip()


_FIELDS: Final = (
    *("status", "client", "pool", "thread", "age", "idle", "bytes_read", "length"),
    *("program", "host", "pid", "run"),
)


def parse(sample: Sample | None) -> Example:
    """What a sample tells; where there is none, nothing."""
    fields: dict[str, Any] = json.loads(sample[2]) if sample else {}
    told = {name: shown(fields.get(name)) for name in _FIELDS}
    context = fields.get("context")
    if isinstance(context, dict):
        told |= {shown(name): shown(value) for name, value in context.items()}
    return Example(
        method=shown(fields.get("method")),
        url=shown(fields.get("url")),
        status=shown(fields.get("status") or None),
        culprit=place_of(fields.get("culprit")),
        held_by=shown(fields.get("held_by"), _MOST_HINT),
        hint=shown(fields.get("hint"), _MOST_HINT),
        stack=_stack(fields.get("stack")),
        fields=tuple((name, value) for name, value in told.items() if value),
    )


def _stack(value: Any) -> tuple[Step, ...]:
    """Frames as objects, or as the text that structlog's reports have."""
    if isinstance(value, str):
        return _stack_of_text(value)
    if not isinstance(value, list):
        return ()
    return tuple(
        _step(
            shown(item.get("filename")),
            whole(item.get("lineno"), 0),
            shown(item.get("function")),
            own=item.get("application") is True,
            source=shown(item.get("source")),
        )
        for item in value[-_MOST_FRAMES:]
        if isinstance(item, dict)
    )


def _stack_of_text(text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _FRAME.fullmatch(line)
        if match is None or line.startswith("     "):
            continue
        below = lines[number + 1] if number + 1 < len(lines) else ""
        source = below.strip() if below.startswith(" " * 8) else ""
        place = printable(match[2]), int(match[3]), printable(match[4])
        source = printable_within(source, MOST_SOURCE)
        steps.append(_step(*place, own=match[1] == ">", source=source))
    return tuple(steps[-_MOST_FRAMES:])


def _step(filename: str, lineno: int, function: str, *, own: bool, source: str) -> Step:
    # Only from Python files: a log may name any file, and reports are passed on.
    if not source and lineno > 0 and filename.endswith(".py"):
        text = source_line(Frame(filename, lineno, function))
        source = printable_within(text, MOST_SOURCE)
    return Step(filename, lineno, function, own, source)
