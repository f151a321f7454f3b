"""Events as text that a person reads, and as the fields of a log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._model.event import (
    COUNTS,
    FD_PRESSURE,
    LEAK,
    POOL_PRESSURE,
    POOL_STARVED,
    RESOLVED,
    SESSION_CHURN,
    SUMMARY,
    TOO_MANY_OPEN,
)
from .._model.plain import plain, to_plain
from .._model.words import many
from .leaks import describe_resolved, place, request, seconds, texts_of, whole_place
from .pools import (
    describe_churn,
    describe_descriptors,
    describe_pool,
    describe_pressure,
    describe_starved,
    with_sites_as_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .._model.event import Event
    from .._model.snapshot import OpenResponse

_MOST_POOLS: Final = 5


class Rendered(NamedTuple):
    """An event, rendered once for whoever logs it.

    Args:
        text: Without a final line break.
        fields: Flat and JSON-ready: a leak's with `site` as
            ``file:line in function`` and `stack` as text, which is how structlog's
            own renderers expect it.
    """

    text: str
    fields: dict[str, Any]


def render(event: Event) -> Rendered | None:
    """An event as a person reads it; None for one that only a file is for."""
    if event.name == COUNTS:
        return None
    text, fields = _RENDERERS[event.name](event)
    return Rendered(text, plain({**fields, **event.figures}))


def describe_crowd(crowd: Iterable[OpenResponse], limit: int) -> str:
    """More open responses than ``max_open``, by site."""
    crowd = list(crowd)
    sites = Counter(response.site for response in crowd)
    oldest = {response.site: response for response in reversed(crowd)}
    lines = [f"too many open responses: {len(crowd)} at once, max_open is {limit}"]
    for site, count in sites.most_common():
        first = oldest[site]
        lines.append(
            f"  > {count} opened at {place(site)} · {request(first)}"
            f" · the oldest {seconds(first.age)} ago"
        )
    return "\n".join(lines)


def _leak(event: Event) -> Rendered:
    """A leak, or that it has ended well after all."""
    (leak,) = event.leaks
    texts = texts_of(leak)
    report = describe_resolved(leak) if event.name == RESOLVED else texts.report
    return Rendered(report, to_plain(leak, site=texts.site, stack=texts.stack))


def _crowd(event: Event) -> Rendered:
    text = describe_crowd(event.crowd, event.figures["max_open"])
    sites = dict.fromkeys(whole_place(response.site) for response in event.crowd)
    return Rendered(text, {"sites": list(sites), "detail": text})


def _details(describe: Callable[[Mapping[str, Any]], str]) -> _Renderer:
    return lambda event: Rendered(
        describe(event.details), with_sites_as_text(event.details)
    )


def _summary(event: Event) -> Rendered:
    """What was found over the whole run, one line a site."""
    total = event.figures["leaks_total"]
    opened, open_now = event.figures["opened"], event.figures["open_now"]
    sessions = sum(leak.count for leak in event.leaks if leak.kind == "session")
    headline = (
        f"summary: {total - sessions:,} leaked of {opened:,} opened responses,"
        f" {open_now:,} open"
    )
    if sessions:
        headline += f" · {many(sessions, 'leaked session')}"
    lines = [headline]
    for leak in event.leaks:
        resolved = f", {leak.resolved} resolved" if leak.resolved else ""
        lines.append(
            f"  > {leak.count:,} {leak.kind} at {place(leak.site)}{resolved}"
            f" · {request(leak)} · fix: {leak.hint}"
        )
    lines += map(describe_pool, event.details.get("pools", ())[:_MOST_POOLS])
    leaks = [
        {
            "kind": leak.kind.value,
            "site": whole_place(leak.site),
            "count": leak.count,
            "resolved": leak.resolved,
            "hint": leak.hint,
        }
        for leak in event.leaks
    ]
    return Rendered("\n".join(lines), {"leaks": leaks, **event.details})


if TYPE_CHECKING:
    _Renderer = Callable[[Event], Rendered]

_RENDERERS: Final[Mapping[str, _Renderer]] = {
    LEAK: _leak,
    RESOLVED: _leak,
    TOO_MANY_OPEN: _crowd,
    POOL_STARVED: _details(describe_starved),
    POOL_PRESSURE: _details(describe_pressure),
    SESSION_CHURN: _details(describe_churn),
    FD_PRESSURE: _details(describe_descriptors),
    SUMMARY: _summary,
}
