"""What was bound to a request's context when its response was opened."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contextvars import Context

    from opentelemetry.trace import SpanContext

# structlog.contextvars.STRUCTLOG_KEY_PREFIX, without importing it.
_PREFIX: Final = "structlog_"


class Bound(dict[str, Any]):
    """Names and values; with OpenTelemetry, the span too.

    `trace_id`, `span_id` and `trace_flags` are the names that OpenTelemetry gives
    to its fields in logs of other formats. The program's own of the same name win.

    Args:
        values: What structlog's context variables held.
        span: The identity of the span that was current, or None.
    """

    __slots__ = ("span",)

    def __init__(self, values: dict[str, Any], span: SpanContext | None = None) -> None:
        """Put the span's fields beside the values."""
        super().__init__()
        if span is not None:
            self["trace_id"] = f"{span.trace_id:032x}"
            self["span_id"] = f"{span.span_id:016x}"
            self["trace_flags"] = f"{int(span.trace_flags):02x}"
        self.update(values)
        self.span = span


def keep_bound(context: Context) -> Bound:
    """What `structlog.contextvars.bind_contextvars` had bound, and the span.

    Args:
        context: Of the moment of opening.

    Returns:
        Names and values; the rest of the context, the span's own data with it, is
        not kept alive.
    """
    values = {}
    span = None
    otel = _context_type()
    for variable, value in context.items():
        if variable.name.startswith(_PREFIX):
            if value is not Ellipsis:
                values[variable.name.removeprefix(_PREFIX)] = value
        elif otel is not None and isinstance(value, otel):
            span = _span_of(value)
    return Bound(values, span)


def _context_type() -> type | None:
    """OpenTelemetry's context, which it keeps in a context variable.

    None if the program has not imported what makes spans.
    """
    if "opentelemetry.trace" not in sys.modules:
        return None
    module = sys.modules.get("opentelemetry.context.context")
    return getattr(module, "Context", None)


def _span_of(context: Any) -> SpanContext | None:
    """The identity of the current span of OpenTelemetry's context, if it has one."""
    trace = sys.modules["opentelemetry.trace"]
    get_current_span = getattr(trace, "get_current_span", None)
    if get_current_span is None:  # Half made while another thread imports it.
        return None
    span: SpanContext = get_current_span(context).get_span_context()
    return span if span.is_valid else None
