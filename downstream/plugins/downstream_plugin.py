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
    for found in collector.found:
        place = found.place
        site = {
            "filename": place.filename,
            "lineno": found.lineno,
            "function": place.function,
        }
        leak = leaks.setdefault(
            (place.kind, *site.values()),
            {"kind": place.kind, "site": site, "count": 0, "tests": []},
        )
        leak["count"] += found.count
        leak["tests"].append(found.subject)
    counters = dict(httpguard.snapshot().counters)
    written = {
        "installed_first": _FIRST,
        "leaks": list(leaks.values()),
        "counters": {
            **counters,
            "leaks": sum(leak["count"] for leak in leaks.values()),
        },
    }
    Path(os.environ[LEAKS]).write_text(json.dumps(written), encoding="utf-8")
