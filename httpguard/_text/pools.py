"""Pools and the process as text: who waits, who holds, what would be enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.leak import Frame
from .._model.words import many
from .leaks import is_before, opened, place, seconds, whole_place

if TYPE_CHECKING:
    from collections.abc import Mapping

# The details that are a frame.
_FRAMES: Final = ("site", "maker", "culprit")


def describe_starved(details: Mapping[str, Any]) -> str:
    """A pool that has nothing to give, by site."""
    maxsize = details["maxsize"]
    streams = details.get("streams", False)
    what = "stream" if streams else "connection"
    most = f"maxsize is {maxsize}, block=True"
    if streams:
        most = f"its HTTP/2 connection has {maxsize} streams"
    lines = [f"pool starved {details['pool']} · {most}"]
    if details["waiting"]:
        noun = "request waits" if details["waiting"] == 1 else "requests wait"
        lines[0] += (
            f" · {details['waiting']} {noun} for a {what},"
            f" the first one for {seconds(details['longest_wait'])}"
            f"{_longer(details['waiters'][0])}"
        )
    lines += [
        f"  > {item['count']} waiting at {_place(item)} for"
        f" {seconds(item['longest'])}{_longer(item)} · {', '.join(item['threads'])}"
        for item in details["waiters"]
    ]
    lines += [
        f"  > {item['count']} lost by {_a(item['kind'])} response {_opened(item)}"
        for item in details["lost"]
    ]
    lines += [
        f"  > {item['count']} held by a response {_opened(item)}"
        f" · {item['method']} {item['url']} · {_oldest(item)}{_culprit(item)}"
        for item in details["holders"]
    ]
    lines += [
        f"  > {item['count']} in use by a request under way at {_place(item)}"
        for item in details["busy"]
    ]
    if details["unknown"]:
        lines.append(f"  > {details['unknown']} taken otherwise")
    return "\n".join([*lines, f"  fix: {details['hint']}"])


def _culprit(holder: Mapping[str, Any]) -> str:
    culprit = holder.get("culprit")
    return f" · left open in {place(Frame(**culprit))}" if culprit else ""


def _a(kind: str) -> str:
    """``a dropped``, ``an unreleased``."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def describe_pressure(details: Mapping[str, Any]) -> str:
    """A pool that is too small, on one line."""
    return (
        f"pool pressure {details['pool']} · {details['lately']:,} connections"
        f" discarded in {seconds(details['seconds'])} because the pool was full"
        f" · {details['connected']:,} opened, {_percent(details)} of requests reused"
        f" one · {details['hint']}"
    )


def describe_descriptors(details: Mapping[str, Any]) -> str:
    """A process that is near its limit of open files."""
    share = details["descriptors"] / details["limit"]
    headline = (
        f"fd pressure: {details['descriptors']:,} of {details['limit']:,} file"
        f" descriptors are open ({share:.0%}) · {many(details['threads'], 'thread')}"
    )
    if details["sockets"]:
        states = (f"{count:,} {state}" for state, count in details["sockets"].items())
        headline += f" · sockets: {', '.join(states)}"
    lines = [
        f"  > {many(item['count'], 'open response')}, opened at {_place(item)}"
        for item in details["responses"]
    ]
    lines += [
        f"  > {many(item['sockets'], 'connection')} kept by sessions made at"
        f" {_place(item)}"
        for item in details["sessions"]
    ]
    return "\n".join([headline, *lines, f"  fix: {details['hint']}"])


def describe_churn(details: Mapping[str, Any]) -> str:
    """A line that makes sessions and drops them for nothing."""
    site, maker = Frame(**details["site"]), Frame(**details["maker"])
    made = f"{details['sessions']:,} sessions of {details['client']} made and dropped"
    hosts = ", ".join(details["hosts"])
    lines = [f"session churn {place(site)} · {made}, to {hosts}"]
    if maker != site:
        lines.append(f"  made in {place(maker)}")
    return "\n".join([*lines, f"  fix: {details['hint']}"])


def with_sites_as_text(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with each site as ``file:line in function``."""
    facts = dict(details)
    for key, value in details.items():
        if isinstance(value, list):
            facts[key] = [
                with_sites_as_text(item) if isinstance(item, dict) else item
                for item in value
            ]
        elif key in _FRAMES:
            facts[key] = whole_place(Frame(**value))
    return facts


def describe_pool(pool: Mapping[str, Any]) -> str:
    """A line for the pools of one name, for the summary."""
    parts = [
        f"  pool {pool['pool']}",
        f"{many(pool['connected'], 'connection')} opened, {_percent(pool)} reuse",
        f"at most {pool['peak']:,} in use, maxsize is {pool['maxsize']:,}",
    ]
    if pool["pools"] > 1:
        parts.insert(1, f"{pool['pools']:,} pools")
    if pool["discarded"]:
        parts.append(f"{pool['discarded']:,} discarded")
    if pool["waited"]:
        parts.append(
            f"{many(pool['waited'], 'request')} waited {seconds(pool['wait_total'])},"
            f" at most {seconds(pool['wait_max'])}"
        )
    if pool["reclaimed"]:
        parts.append(f"{many(pool['reclaimed'], 'lost slot')} given back")
    return " · ".join(parts)


def _percent(figures: Mapping[str, Any]) -> str:
    return f"{figures['reuse_rate']:.0%}"


def _opened(item: Mapping[str, Any]) -> str:
    return opened(Frame(**item["site"]))


def _longer(item: Mapping[str, Any]) -> str:
    return " or longer" if item.get("longer") else ""


def _oldest(item: Mapping[str, Any]) -> str:
    if is_before(Frame(**item["site"])):
        return "its age is not known"
    return f"the oldest {seconds(item['oldest'])} ago"


def _place(item: Mapping[str, Any]) -> str:
    return place(Frame(**item["site"]))
