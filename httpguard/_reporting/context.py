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
        context: Of the moment of opening. The rest of it, the span's own data too,
            is not kept alive.
    """
    values = {}
    span = None
    # Where the program has not imported what makes spans, there are none; and while
    # another thread imports it, it is half made.
    trace = sys.modules.get("opentelemetry.trace")
    module = sys.modules.get("opentelemetry.context.context")
    otel = getattr(module, "Context", None)
    for variable, value in context.items():
        if variable.name.startswith(_PREFIX):
            if value is not Ellipsis:
                values[variable.name.removeprefix(_PREFIX)] = value
        elif otel is not None and isinstance(value, otel):
            get_current_span = getattr(trace, "get_current_span", None)
            if get_current_span is not None:
                span = get_current_span(value).get_span_context()
    return Bound(values, span if span is not None and span.is_valid else None)
