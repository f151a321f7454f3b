"""Lines that make and drop sessions for nothing, as advice."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .._model.redaction import printable
from .._stacks.sites import find_site, symbolize
from .._text.leaks import place

if TYPE_CHECKING:
    from .._leases.sessions import Wasted
    from .._stacks.ownership import Origins


def describe_churn(wasted: Wasted, origins: Origins) -> dict[str, Any]:
    """How many sessions a line has made, and what one shared session would save.

    JSON-ready values. ``maker`` is the innermost frame, a library's where one has made
    the sessions, and ``site`` the application's line that called it.
    """
    frames = symbolize(wasted.stack, origins)
    site = find_site(wasted.stack, origins)
    maker = frames[-1] if frames else site
    hint = (
        f"one session for all {wasted.sessions:,} would have saved"
        f" {wasted.saved:,} connects: make it once, and use it for all requests"
    )
    if maker != site:
        hint += f"; they are made at {place(maker)}"
    return {
        "site": asdict(site),
        "maker": asdict(maker),
        "client": wasted.client,
        "sessions": wasted.sessions,
        "connects": wasted.connects,
        "saved": wasted.saved,
        "hosts": sorted(wasted.hosts)[:5],
        "hint": printable(hint),
    }
