"""Runs a module's cases one after the other: ``... _in_turn MODULE HOST PORT``.

By the public interface alone and the real clock, in a process in which nobody else
reads from a socket. Prints what was found of each as JSON.
"""

from __future__ import annotations

import gc
import inspect
import json
import sys
import time

import httpguard
from tests.catalogue import load
from tests.server import Address

_MAX_IDLE = 0.05
# PyPy runs the finalizers of what refers to one another in several collections.
_COLLECTIONS = 3


def main(module: str, host: str, port: str) -> None:
    """Run them, but for those that need a clock that stands, or a scope."""
    server = Address(host, int(port))
    found: dict[str, object] = {}
    cases = load(module)
    kinds = {case.name: case.kind for case in cases}
    for case in cases:
        if inspect.isgeneratorfunction(case.function) or 0 < case.idle < 1:
            continue
        if case.subprocess or "open" in {case.kind, kinds.get(case.twin_of or "")}:
            continue
        settings = {"check_interval": 0, "max_idle": _MAX_IDLE, **case.settings}
        httpguard.install(**settings)
        kept = case.function(server)
        if not case.keep:
            kept = None
        _collect()
        httpguard.check()
        time.sleep(case.idle * _MAX_IDLE)
        found[case.name] = [
            [str(leak.kind), leak.site.filename, leak.site.lineno, leak.count]
            for leak in httpguard.check().leaks
        ]
        del kept
        httpguard.uninstall()
        _collect()
    sys.stdout.write(json.dumps(found))


def _collect() -> None:
    for _ in range(_COLLECTIONS):
        gc.collect()


if __name__ == "__main__":
    main(*sys.argv[1:])
