"""To structlog, through the chain that the application has configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._model.event import LEAK, RESOLVED, SUMMARY, TOO_MANY_OPEN, Event
from .._model.redaction import printable
from .._text.events import describe_crowd, format_stack
from .._text.pools import with_sites_as_text

if TYPE_CHECKING:
    from .._model.leak import Leak


def report(event: Event) -> None:
    """Log the event with its fields flat.

    Args:
        event: Any event.
    """
    fields = {**event.context, **flat_fields(event)}
    if _ends_in_records() and "thread" in fields:
        fields["thread_name"] = fields.pop("thread")
    logger = _logger()
    log = logger.error if event.error else logger.warning
    log(event.name, **fields)


def _ends_in_records() -> bool:
    """Whether the fields become attributes of a record of the standard library.

    `logging` refuses those that a record has already: ``thread`` is one.
    """
    from structlog import get_config, stdlib

    last = list(get_config()["processors"])[-1:]
    # The second came with structlog 25.1.
    names = ("render_to_log_kwargs", "render_to_log_args_and_kwargs")
    return any(last == [getattr(stdlib, name, None)] for name in names)


def _logger() -> Any:
    """The application's own logger, made synchronous where it is to be awaited."""
    import structlog

    config = structlog.get_config()
    wrapper = config["wrapper_class"]
    if isinstance(wrapper, type) and issubclass(
        wrapper, structlog.stdlib.AsyncBoundLogger
    ):
        inner = config["logger_factory"]("httpguard")
        return structlog.wrap_logger(inner, wrapper_class=structlog.stdlib.BoundLogger)
    return structlog.get_logger("httpguard")


def flat_fields(event: Event) -> dict[str, Any]:
    """The event's fields, each a JSON-ready scalar or list.

    Args:
        event: Any event.

    Returns:
        The fields of the leak with `site` as ``file:line in function`` and
        `stack` as text, which is how structlog's own renderers expect it.
    """
    if event.name in (LEAK, RESOLVED):
        return {**_leak_fields(event.leaks[0]), **event.figures}
    if event.name == TOO_MANY_OPEN:
        text = describe_crowd(event.crowd, event.figures["max_open"])
        sites = dict.fromkeys(printable(str(response.site)) for response in event.crowd)
        return {"sites": list(sites), "detail": text, **event.figures}
    if event.name != SUMMARY:
        return {**with_sites_as_text(event.details), **event.figures}
    return {
        "leaks": [
            {
                "kind": leak.kind.value,
                "site": printable(str(leak.site)),
                "count": leak.count,
                "resolved": leak.resolved,
                "hint": leak.hint,
            }
            for leak in event.leaks
        ],
        **event.details,
        **event.figures,
    }


def _leak_fields(leak: Leak) -> dict[str, Any]:
    """A leak's fields, flat."""
    fields = leak.to_dict()
    fields["site"] = printable(str(leak.site))
    fields["stack"] = format_stack(leak.stack)
    fields["age"] = round(leak.age, 3)
    fields["idle"] = round(leak.idle, 3)
    return fields
