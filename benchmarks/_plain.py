"""The same report by a plain loop in Python over the lines of a file."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[str, str, int, str]
"""Kind, file, line, function."""


def leaks_by_site(lines: Iterable[str]) -> tuple[dict[Key, tuple[int, int]], int]:
    """What a short script would do, with the JSON lines of httpguard alone.

    Args:
        lines: Of one file.

    Returns:
        By kind and site, how many leaks in how many processes; and the number of
        damaged lines.
    """
    largest: dict[Key, dict[str, int]] = defaultdict(dict)
    damaged = 0
    for line in lines:
        if '"httpguard.' not in line:
            damaged += line.startswith("{") and not line.rstrip().endswith("}")
            continue
        try:
            event = json.loads(line)
        except ValueError:
            damaged += 1
            continue
        if event["event"] == "httpguard.leak":
            site = event["site"]
            key = (event["kind"], site["filename"], site["lineno"], site["function"])
            runs = largest[key]
            runs[event["run"]] = max(runs.get(event["run"], 0), event["count"])
    return {
        key: (sum(runs.values()), len(runs)) for key, runs in largest.items()
    }, damaged
