"""Which part of the logs is asked for: since when, and which sites."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from .result import Report, Site

_AGO: Final = re.compile(r"(\d+)\s*([smhdw])")
_UNITS: Final = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}


def parse_since(text: str) -> datetime | None:
    """An ISO date or time (UTC unless it says otherwise), or an age; None for nothing.

    Raises:
        ValueError: It is neither.
    """
    text = text.strip()
    if not text:
        return None
    age = _AGO.fullmatch(text)
    try:
        if age is not None:
            length = timedelta(**{_UNITS[age[2]]: int(age[1])})
            return datetime.now(timezone.utc) - length
        # Before 3.11 the letter is not understood.
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is no time; accepted: an ISO date or time (2026-03-01,"
            " 2026-03-01T12:00+01:00), or an age (90s, 30m, 24h, 7d, 2w)"
        ) from error


def select(report: Report, kinds: Collection[str], globs: Collection[str]) -> Report:
    """The report without the sites that no kind or no pattern asks for; empty: any."""
    kept = tuple(
        site
        for site in report.sites
        if (not kinds or site.kind in kinds)
        and (not globs or any(_matches(site, pattern) for pattern in globs))
    )
    return replace(report, sites=kept, hidden=len(report.sites) - len(kept))


def _matches(site: Site, pattern: str) -> bool:
    """Whether a glob means a site; a relative one may begin in any directory."""
    names = (site.filename, f"{site.filename}:{site.lineno}", site.place)
    return any(
        fnmatchcase(name, pattern) or fnmatchcase(name, f"*/{pattern}")
        for name in names
    )
