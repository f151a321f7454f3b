"""Runs the leaking programs of a client in this process, and prints what was said.

``python -m benchmarks._recalled CLIENT HOST PORT GUARDED``: a JSON list, one item a
program. Without a guard what counts is what comes on stderr: while what the program
returned is alive, as in a service, and when that is let go.
"""

from __future__ import annotations

import gc
import inspect
import json
import logging
import os
import re
import sys
import tempfile
import warnings
from contextlib import nullcontext
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Final, cast

import httpguard
from httpguard._process import installing
from tests import catalogue
from tests.server import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.catalogue import Case

_SAID: Final = re.compile(r"(?i)unclosed|never (retrieved|awaited)|leak")
# What asyncio's debug mode says of any task that was slow is about no response.
_SLOW: Final = re.compile(r"^.*asyncio:Executing .*\n?", re.MULTILINE)


def main(client: str, host: str, port: str, guarded: str) -> None:
    """Run each program once, whatever loops and packages the catalogue has it for."""
    cases: dict[Any, Case] = {}
    # Not all of it: SDKs have half a million objects.
    for module in iter_modules(catalogue.__path__):
        if module.name.startswith(f"{client}_"):
            import_module(f"{catalogue.__name__}.{module.name}")
    for case in catalogue.CASES:
        if case.kind and case.lines and case.runnable:
            cases.setdefault(inspect.unwrap(case.function), case)
    gc.collect()
    gc.freeze()
    server = Address(host, int(port))
    look = _guarded if guarded == "yes" else _alone
    found = [look(case, server) for case in cases.values() if not case.subprocess]
    json.dump(found, sys.stdout)


def _alone(case: Case, server: Address) -> dict[str, bool]:
    """What the client, the interpreter and the loop say by themselves."""
    kept: list[object] = []

    def run() -> None:
        kept.append(_result(case, server))
        gc.collect()

    def end() -> None:
        kept.clear()
        gc.collect()

    alive, late = _heard(run), _heard(end)
    return {
        "alive": is_said(alive),
        "alive, line": is_said(alive) and _names(alive, case),
        "end": is_said(late),
        "end, line": is_said(late) and _names(late, case),
    }


def is_said(text: str) -> bool:
    """Whether something was left open, by what was written."""
    return _SAID.search(text) is not None


def _guarded(case: Case, server: Address) -> dict[str, bool]:
    """What httpguard says, the program's result being alive."""
    now = [1000.0]
    settings = httpguard.Settings(check_interval=0, **case.settings)
    installing.start(settings, lambda: now[0])
    leaks: tuple[httpguard.Leak, ...] = ()
    kept: list[object] = []
    try:
        with httpguard.no_leaks() if case.kind == "open" else nullcontext():
            kept.append(_result(case, server))
        gc.collect()
        httpguard.check()
        now[0] += case.idle * settings.max_idle
        leaks = httpguard.check().leaks
    except httpguard.LeakError as error:
        leaks = error.leaks
    kept.clear()
    httpguard.uninstall()
    gc.collect()
    said = any(str(leak.kind) == case.kind for leak in leaks)
    lines = {leak.site.lineno for leak in leaks if leak.site.filename == case.filename}
    return {
        "alive": said,
        "alive, line": said and lines == set(case.lines),
        "end": False,
        "end, line": False,
    }


def _result(case: Case, server: Address) -> object:
    result = case.function(server)
    # Time passes in some; none of these leaks.
    is_slow = inspect.isgeneratorfunction(inspect.unwrap(case.function))
    return list(cast("Iterator[None]", result)) if is_slow else result


def _names(text: str, case: Case) -> bool:
    """Whether a guilty line is in it."""
    file = re.escape(os.path.basename(case.filename))
    return any(
        re.search(rf"{file}(:|\", line(no)? ){line}\b", text) is not None
        for line in case.lines
    )


def _heard(action: Callable[[], None]) -> str:
    """What comes on stderr meanwhile, whoever writes it."""
    if sys.flags.dev_mode:
        warnings.simplefilter("always", ResourceWarning)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        before = os.dup(2)
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        try:
            action()
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
        file.seek(0)
        return without_slow(file.read())


def without_slow(text: str) -> str:
    """What was written, but for what is said of slow tasks."""
    return _SLOW.sub("", text)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("httpguard").setLevel(logging.CRITICAL)
    main(*sys.argv[1:])
