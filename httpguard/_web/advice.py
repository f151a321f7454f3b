"""What the page says that is no leak: pools that are too small, wasted sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._model.kinds import CODES
from .._model.redaction import printable
from .._model.words import many
from .._pressure.churn import describe_churn

if TYPE_CHECKING:
    from .source import Source

# Fewer discarded connections, or a smaller share of the requests, are no matter.
_FEW: Final = 10
_SHARE: Final = 0.1


def advice(
    guard: Source | None, pools: list[dict[str, Any]], most: int
) -> list[dict[str, str]]:
    """Advice of this moment.

    Args:
        guard: If there is one.
        pools: Those that are alike as one row, as of `by_kind`.
        most: Rows.

    Returns:
        A row has ``kind``, ``code``, ``about``, ``text`` and ``hint``.
    """
    rows = [_of_pool(pool) for pool in pools if _is_too_small(pool)]
    if guard is not None:
        churn = guard.registry.sessions.churn
        origins = guard.registry.origins
        for wasted in churn.worth()[:most]:
            told = describe_churn(wasted, origins)
            site = told["site"]
            about = f"{site['filename']}:{site['lineno']} in {site['function']}"
            sessions = many(wasted.sessions, "session")
            text = f"{sessions} of {wasted.client} made and dropped"
            row = _row("session_churn", printable(about), text, told["hint"])
            rows.append(row)
    return rows[:most]


def _is_too_small(pool: dict[str, Any]) -> bool:
    requests = pool["connected"] + pool["reused"]
    return bool(pool["discarded"] >= max(_FEW, _SHARE * requests))


def _of_pool(pool: dict[str, Any]) -> dict[str, str]:
    text = (
        f"{many(pool['discarded'], 'connection')} discarded, since it keeps"
        f" {pool['maxsize']:,}; at most {pool['peak']:,} were in use at once"
    )
    hint = f"make it with maxsize={pool['peak']} (of an adapter: pool_maxsize)"
    return _row("pool_pressure", pool["name"], text, hint)


def _row(kind: str, about: str, text: str, hint: str) -> dict[str, str]:
    return {
        "kind": kind,
        "code": CODES[kind],
        "about": about,
        "text": text,
        "hint": hint,
    }
