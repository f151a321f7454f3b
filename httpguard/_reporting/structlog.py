"""To structlog, through the chain that the application has configured."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import structlog

from .._model.streams import is_shown
from .context import with_context

if TYPE_CHECKING:
    from collections.abc import Collection

    from .._model.event import Event
    from .._model.streams import Streams
    from .._text.events import Rendered


def report(event: Event, rendered: Rendered, streams: Streams) -> bool:
    """Log the event with its fields flat.

    False: it would be printed to a stream that is closed.
    """
    fields, reserved = rendered.fields, _taken()
    if "thread" in reserved and "thread" in fields:
        fields = {**fields, "thread_name": fields["thread"]}
        del fields["thread"]
    logger = _logger().bind()
    inner = getattr(logger, "_logger", None)
    if not streams.stands(getattr(inner, "_file", None)):
        return False
    # Not by keyword, as a method's own parameters may have these names.
    structlog.get_context(logger).update(with_context(fields, event.context, reserved))
    getattr(logger, event.level)(event.name)
    return True


def silence(level: str) -> str:
    """Why the chain shows nothing of this level; empty: it does, as far as is known."""
    name, number = level.upper(), getattr(logging, level.upper())
    logger = _logger().bind()
    inner = getattr(logger, "_logger", None)
    if isinstance(inner, logging.Logger):
        shown = is_shown(inner, number)
    else:
        # Of structlog 25.1 and later, where its wrapper class leaves out levels; the
        # one for the standard library asks what it wraps, which is none of that.
        ask = getattr(type(logger), "is_enabled_for", None)
        if isinstance(logger, structlog.stdlib.BoundLogger):
            ask = None
        shown = ask is None or bool(ask(logger, number))
    return "" if shown else f"structlog shows none: its level is above {name}"


def _taken() -> Collection[str]:
    """What no field may be called where fields become attributes of a record.

    `logging` refuses those that a record has already: ``thread`` is one.
    """
    last = list(structlog.get_config()["processors"])[-1:]
    # The second came with structlog 25.1.
    names = ("render_to_log_kwargs", "render_to_log_args_and_kwargs")
    if any(last == [getattr(structlog.stdlib, name, None)] for name in names):
        return {*vars(logging.makeLogRecord({})), "message", "asctime"}
    return ()


def _logger() -> Any:
    """The application's own logger, made synchronous where it is to be awaited."""
    config = structlog.get_config()
    wrapper = config["wrapper_class"]
    if isinstance(wrapper, type) and issubclass(
        wrapper, structlog.stdlib.AsyncBoundLogger
    ):
        inner = config["logger_factory"]("httpguard")
        return structlog.wrap_logger(inner, wrapper_class=structlog.stdlib.BoundLogger)
    return structlog.get_logger("httpguard")
