"""Writes down what httpguard's own pytest plugin has found, as JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpguard

if TYPE_CHECKING:
    import pytest

LEAKS: Final = "DOWNSTREAM_LEAKS"
_FIRST: Final = "urllib3" not in sys.modules


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write it, a leak once for each site and kind."""
    collector: Any = config.pluginmanager.get_plugin("httpguard-collector")
    leaks: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in collector.records:
        site = {name: record[name] for name in ("filename", "lineno", "function")}
        key = (record["kind"], *site.values())
        leak = leaks.setdefault(
            key, {"kind": record["kind"], "site": site, "count": 0, "tests": []}
        )
        leak["count"] += record["count"]
        leak["tests"].append(record["subject"])
    counters = dict(httpguard.snapshot().counters)
    found = {
        "installed_first": _FIRST,
        "leaks": list(leaks.values()),
        "counters": {
            **counters,
            "leaks": sum(leak["count"] for leak in leaks.values()),
        },
    }
    Path(os.environ[LEAKS]).write_text(json.dumps(found), encoding="utf-8")
