"""One leak out of a log: its request, its stack with source lines, its hint."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from .._model.leak import Frame, LeakKind
from .._model.redaction import printable
from .._stacks.capture import source_line
from .._text.hints import hint_for
from .records import TEXT_LEAK, TEXT_RESOLVED, TEXT_SUMMARY

_MOST_FRAMES: Final = 64
_MOST_SOURCE: Final = 200
_MOST_HINT: Final = 500
# In front of the document: see `_records`.
_RANK: Final = 18
_FRAME: Final = re.compile(r"  ([> ]) (.+):(\d+) in (.*)")
_FIX: Final = re.compile(r"\bfix: (.+)")
_PATTERNS: Final = ((TEXT_LEAK, 5), (TEXT_RESOLVED, 5), (TEXT_SUMMARY, 7))


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
        stack: The outermost frame first.
        fields: The other fields of the leak and of its process, in the order in
            which a person wants them, then structlog's context.
    """

    method: str = ""
    url: str = ""
    hint: str = ""
    stack: tuple[Step, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    @property
    def request(self) -> str:
        """Method and URL."""
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


def parse(text: str | None) -> Example:
    """The example that an engine has chosen.

    Args:
        text: What `_grouping.examples` found, or None.
    """
    document = (text or "")[_RANK:]
    if document.lstrip().startswith("{"):
        try:
            fields = json.loads(document)
        except ValueError:  # Two parsers may differ on a lone surrogate, say.
            return Example()
        return _from_fields(fields) if isinstance(fields, dict) else Example()
    return _from_text(document)


def _from_fields(fields: dict[str, Any]) -> Example:
    """Of a document."""
    kind, client = fields.get("kind"), fields.get("client")
    hint = _text(fields.get("hint"), _MOST_HINT)
    known = client in {"requests", "urllib3"} and kind in list(LeakKind)
    if not hint and known:
        hint = hint_for(LeakKind(kind), str(client))
    told = {name: _text(fields.get(name)) for name in _FIELDS}
    context = fields.get("context")
    if isinstance(context, dict):
        told |= {_text(name): _text(value) for name, value in context.items()}
    return Example(
        method=_text(fields.get("method")),
        url=_text(fields.get("url")),
        hint=hint,
        stack=_stack(fields.get("stack")),
        fields=tuple((name, value) for name, value in told.items() if value),
    )


def _from_text(text: str) -> Example:
    """Of one of our one-line texts, after whatever prefix."""
    text = text.replace("\\u00b7", "·").replace("\\u2026", "…")
    for pattern, group in _PATTERNS:
        match = re.search(pattern, text)
        if match is not None:
            fix = _FIX.search(text)
            return Example(
                method=printable(match[group] or ""),
                url=printable(match[group + 1] or ""),
                hint=printable(fix[1].strip(), _MOST_HINT) if fix else "",
            )
    return Example()


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
    """Frames with their source lines below them."""
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
                source=printable(source, _MOST_SOURCE),
            )
        )
    return tuple(steps[-_MOST_FRAMES:])


def _step(filename: str, lineno: int, function: str, *, own: bool, source: str) -> Step:
    """A frame, its source read from the file if the log does not have it.

    Only from Python files: a log may name any file, and reports are passed on.
    """
    if not source and lineno > 0 and filename.endswith(".py"):
        frame = Frame(filename, lineno, function)
        source = printable(source_line(frame), _MOST_SOURCE)
    return Step(filename, lineno, function, own, source)


def _text(value: Any, limit: int = 300) -> str:
    """A value of a log as text on one line; empty for none."""
    if value is None or value == "":
        return ""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        value = round(value, 3)
    return printable(str(value), limit)
