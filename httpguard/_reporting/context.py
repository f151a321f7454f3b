"""What was bound to a request's context when its response was opened."""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import copy_context
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from opentelemetry.trace import SpanContext

# structlog.contextvars.STRUCTLOG_KEY_PREFIX, without importing it.
_PREFIX: Final = "structlog_"
_PLAIN: Final = frozenset({str, int, float, bool, bytes, type(None)})
# The classes of these modules refer to nothing but what they show.
_HARMLESS: Final = frozenset(
    {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"}
)
_MOST_ITEMS: Final = 50
_MOST_DEPTH: Final = 4

# What structlog or its processors have a use of their own for.
_RESERVED: Final = frozenset(
    {
        *("event", "level", "level_number", "timestamp", "logger"),
        *("exc_info", "exception", "stack_info", "positional_args"),
        *("_record", "_from_structlog"),
    }
)


class Bound(dict[str, Any]):
    """Names and values; with OpenTelemetry, the span too.

    `trace_id`, `span_id` and `trace_flags` are the names that OpenTelemetry gives
    to its fields in logs of other formats. The program's own of the same name win.

    Args:
        values: What structlog's context variables held.
        span: The identity of the span that was current, valid or not, or None.
    """

    __slots__ = ("span",)

    def __init__(self, values: dict[str, Any], span: SpanContext | None = None) -> None:
        super().__init__()
        self.span: SpanContext | None = None
        # A test's stand-in may have no numbers; this runs where a leak is judged.
        with suppress(AttributeError, TypeError, ValueError):
            if span is not None and span.is_valid:
                self.update(
                    trace_id=f"{span.trace_id:032x}",
                    span_id=f"{span.span_id:016x}",
                    trace_flags=f"{int(span.trace_flags):02x}",
                )
                self.span = span
        self.update(values)


def bound_now() -> Callable[[], Bound] | None:
    """What is bound to the log context at this moment, None where that is nothing.

    That is what `structlog.contextvars.bind_contextvars` has bound, and the span. It
    keeps nothing of the program alive: values of its own classes are named by class.
    A call makes the names and values of it, which most responses never need.
    """
    # Both keep what they have in context variables, of which most threads have none.
    if not copy_context():
        return None
    modules = sys.modules
    contextvars: Any = modules.get("structlog.contextvars")
    try:
        variables = contextvars and contextvars._CONTEXT_VARS
    except AttributeError:  # Half imported, or it has it elsewhere.
        variables = None
    if not variables and "opentelemetry.trace" not in modules:
        return None
    values = {}
    if variables:
        # Another thread may bind a new name meanwhile.
        for name, variable in list(variables.items()):
            value = variable.get(Ellipsis)
            if value is not Ellipsis:
                values[name.removeprefix(_PREFIX)] = digested(value)
    span = _span()
    return partial(Bound, values, span) if values or span is not None else None


def digested(value: Any, depth: int = 0) -> Any:
    """A value that a log line can have, without the objects of the program."""
    kind = type(value)
    known = kind in _PLAIN or kind.__module__.partition(".")[0] in _HARMLESS
    if known or isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if depth < _MOST_DEPTH:
        if kind is dict:
            items = list(value.items())[:_MOST_ITEMS]
            return {str(key): digested(item, depth + 1) for key, item in items}
        if kind in {list, tuple, set, frozenset}:
            return [digested(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
    if isinstance(value, type):
        return type.__repr__(value)
    return f"<{kind.__module__}.{kind.__qualname__}>"


def _span() -> SpanContext | None:
    """The identity of the current span of OpenTelemetry, if there is one."""
    modules: Any = sys.modules
    try:
        current = modules["opentelemetry.context"].get_current()
        if not current:  # To ask for the span of none takes four more calls.
            return None
        trace = modules["opentelemetry.trace"]
        span: SpanContext = trace.get_current_span(current).get_span_context()
    except (AttributeError, KeyError):  # Not there, or half made in another thread.
        return None
    return span


def with_context(
    fields: Mapping[str, Any],
    context: Mapping[str, Any],
    reserved: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of a report, and what the program had bound to its log context.

    Args:
        fields: Of the report. A name of the context that is one of theirs, or
            reserved, gets the prefix ``context_``.
        context: Of the moment of opening.
        reserved: More such names.
    """
    bound = {}
    for name, value in context.items():
        taken = name in fields or name in _RESERVED or name in reserved
        bound[f"context_{name}" if taken else name] = value
    return {**bound, **fields}
