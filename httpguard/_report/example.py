"""One leak out of a log: its request, its stack with source lines, its hint."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Frame
from .._model.redaction import MOST_SOURCE, printable
from .._stacks.capture import source_line
from .lines import site_of
from .texts import find_leak

if TYPE_CHECKING:
    from .groups import Sample

_MOST_FRAMES: Final = 64
_MOST_HINT: Final = 500
_FRAME: Final = re.compile(r"  ([> ]) (.+):(\d+) in (.*)")


@dataclass(frozen=True, slots=True)
class Step:
    """A frame of the stack.

    Args:
        filename: As the log has it.
        lineno: From 1.
        function: The function's name.
        application: Whether it is the application's own code.
        source: The text of the line; empty: not known.
    """

    filename: str
    lineno: int
    function: str
    application: bool
    source: str


@dataclass(frozen=True, slots=True)
class Example:
    """What the log says of one leak; whatever it does not say is empty or None.

    Args:
        status: Of the response, as it is shown.
        culprit: ``file:line in function`` that lost it, where that is not the site.
        held_by: What still referred to it.
        stack: The outermost frame first.
        fields: The other fields of the leak and of its process, in the order in
            which a person wants them, then structlog's context.
    """

    method: str = ""
    url: str = ""
    status: str = ""
    culprit: str = ""
    held_by: str = ""
    hint: str = ""
    stack: tuple[Step, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def request(self) -> str:
        return f"{self.method} {self.url}".strip()


_FIELDS: Final = (
    "status",
    "client",
    "pool",
    "thread",
    "age",
    "idle",
    "bytes_read",
    "length",
    "program",
    "host",
    "pid",
    "run",
)


def parse(sample: Sample | None) -> Example:
    text = sample[2] if sample is not None else ""
    if text.startswith("{"):
        try:
            return _from_fields(json.loads(text))
        except ValueError:  # Its stack, which nobody had looked at.
            return Example()
    leak = find_leak(text)
    if leak is None:
        return Example()
    return Example(
        method=printable(leak.method),
        url=printable(leak.url),
        hint=printable(leak.hint, _MOST_HINT),
    )


def _from_fields(fields: dict[str, Any]) -> Example:
    told = {name: _text(fields.get(name)) for name in _FIELDS}
    context = fields.get("context")
    if isinstance(context, dict):
        told |= {_text(name): _text(value) for name, value in context.items()}
    culprit = fields.get("culprit")
    if isinstance(culprit, dict):
        filename, lineno, function = site_of(culprit)
        culprit = f"{filename}:{lineno} in {function}"
    return Example(
        method=_text(fields.get("method")),
        url=_text(fields.get("url")),
        status=_text(fields.get("status") or None),
        culprit=_text(culprit),
        held_by=_text(fields.get("held_by"), _MOST_HINT),
        hint=_text(fields.get("hint"), _MOST_HINT),
        stack=_stack(fields.get("stack")),
        fields=tuple((name, value) for name, value in told.items() if value),
    )


def _stack(value: Any) -> tuple[Step, ...]:
    """Frames as objects, or as the text that structlog's reports have."""
    if isinstance(value, str):
        return _stack_of_text(value)
    if not isinstance(value, list):
        return ()
    steps = []
    for item in value[-_MOST_FRAMES:]:
        if not isinstance(item, dict):
            continue
        lineno = item.get("lineno")
        if not isinstance(lineno, int):
            lineno = 0
        steps.append(
            _step(
                _text(item.get("filename")),
                lineno,
                _text(item.get("function")),
                own=item.get("application") is True,
                source=_text(item.get("source")),
            )
        )
    return tuple(steps)


def _stack_of_text(text: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = _FRAME.fullmatch(line)
        if match is None or line.startswith("     "):
            continue
        below = lines[number + 1] if number + 1 < len(lines) else ""
        source = below.strip() if below.startswith(" " * 8) else ""
        steps.append(
            _step(
                printable(match[2]),
                int(match[3]),
                printable(match[4]),
                own=match[1] == ">",
                source=printable(source, MOST_SOURCE),
            )
        )
    return tuple(steps[-_MOST_FRAMES:])


def _step(filename: str, lineno: int, function: str, *, own: bool, source: str) -> Step:
    source = source or python_source(Frame(filename, lineno, function))
    return Step(filename, lineno, function, own, source)


def python_source(frame: Frame) -> str:
    """The text of a frame's line, from the file.

    Only from Python files: a log may name any file, and reports are passed on.
    """
    if frame.lineno <= 0 or not frame.filename.endswith(".py"):
        return ""
    return printable(source_line(frame), MOST_SOURCE)


def _text(value: Any, limit: int = 300) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        value = round(value, 3)
    return printable(str(value), limit)
