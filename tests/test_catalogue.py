"""Every program of the catalogue: leaks are found and named, twins left alone."""

from __future__ import annotations

import gc
import inspect
import json
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

import pytest

import httpguard
from httpguard import LeakKind
from tests.catalogue import Case, load
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from httpguard import Leak
    from tests.conftest import GuardControl
    from tests.server import Server

Finding = tuple[str, str, int, int, str]
"""Kind, file, line, count, client."""

CASES = load()
LEAKS = [case for case in CASES if case.kind]
KIND = {case.name: case.kind for case in CASES}


# Spares every collection below the look at half a million objects of SDKs.
pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.mark.parametrize("case", CASES, ids=attrgetter("name"))
def test_program(case: Case, guard: GuardControl, server: Server) -> None:
    if case.subprocess:
        found = _run_alone(case, server)
    elif "open" in {case.kind, KIND.get(case.twin_of or "")}:
        found = _run_in_scope(case, guard, server)
    else:
        found = _run(case, guard, server)
    assert _shortened(found, case) == _expected(case)


def test_there_are_enough_of_each_kind() -> None:
    kinds = Counter(case.kind for case in LEAKS)
    assert len(LEAKS) >= 48
    assert set(kinds) == {"dropped", "held", "unreleased", "open", "session"}


@pytest.mark.parametrize(
    ("client", "least"), [("httpx", 40), ("aiohttp", 40), ("stdlib", 20)]
)
def test_there_are_enough_for_each_client(client: str, least: int) -> None:
    """Different programs, each counted once, whatever loops and packages run it."""
    own = [case for case in CASES if case.name.startswith(f"{client}_")]
    if not own:
        pytest.skip(f"{client} is not installed")
    leaking, innocent = (
        {inspect.unwrap(one.function) for one in own if bool(one.kind) is leaks}
        for leaks in (True, False)
    )
    assert len(leaking) >= least
    assert len(innocent) >= least


def test_every_leak_has_a_twin() -> None:
    twins = {case.twin_of for case in CASES if not case.kind}
    assert {case.name for case in LEAKS} <= twins


def test_names_are_unique() -> None:
    names = Counter(case.name for case in CASES)
    assert [name for name, count in names.items() if count > 1] == []


def _run(case: Case, guard: GuardControl, server: Server) -> list[Finding]:
    """What the guard finds while the program's result is kept, then without it."""
    # Time enough for a slow machine to find what holds a response.
    guard.install(**{"explain": 60.0, **case.settings})
    max_idle = httpguard.Settings(**case.settings).max_idle
    kept = _finish(case, guard, server, max_idle)
    if not case.keep:
        kept = None
    gc.collect()
    # Sees what was read so far; from now on nothing is.
    guard.check()
    guard.advance(case.idle * max_idle)
    snapshot = guard.check()
    if kept is not None and case.kind is None and case.idle >= 1.0:
        # A response that ended well is no leak when it is let go either.
        kept = None
        gc.collect()
        snapshot = guard.check()
    assert snapshot.counters["errors"] == 0
    for leak in snapshot.leaks:
        if leak.kind is LeakKind.HELD:
            assert "kept (local of _run()" in str(leak.held_by)
    return _findings(snapshot.leaks)


def _finish(case: Case, guard: GuardControl, server: Server, max_idle: float) -> object:
    """Run the program to its end; time passes whenever it yields."""
    program = case.function(server)
    if not inspect.isgeneratorfunction(case.function):
        return program
    assert inspect.isgenerator(program)
    while True:
        try:
            next(program)
        except StopIteration as end:
            return end.value
        guard.advance(0.75 * max_idle)
        assert guard.check().leaks == ()


def _run_in_scope(case: Case, guard: GuardControl, server: Server) -> list[Finding]:
    """What `no_leaks` raises about the program."""
    guard.install(**case.settings)
    kept: object = None
    try:
        with httpguard.no_leaks():
            kept = case.function(server)
    except httpguard.LeakError as error:
        return _findings(error.leaks)
    del kept
    return []


def _run_alone(case: Case, server: Server) -> list[Finding]:
    """What the guard finds in a process of the program's own."""
    module = "tests.catalogue._alone"
    env = {f"HTTPGUARD_{name.upper()}": str(v) for name, v in case.settings.items()}
    done = run("-m", module, case.name, server.host, str(server.port), env=env)
    assert done.returncode == 0, done.stderr
    return [
        (
            leak["kind"],
            leak["site"]["filename"],
            leak["site"]["lineno"],
            leak["count"],
            leak["client"],
        )
        for leak in json.loads(done.stdout)
    ]


def _findings(leaks: Iterable[Leak]) -> list[Finding]:
    """The leaks in short."""
    return [
        (str(leak.kind), leak.site.filename, leak.site.lineno, leak.count, leak.client)
        for leak in leaks
    ]


def _shortened(found: list[Finding], case: Case) -> list[Finding]:
    """Sorted; in files that the case knows by their end only, without the line."""
    if case.lines or not case.kind:
        return sorted(found)
    return [
        (kind, case.filename, 0, count, client)
        if filename.replace("\\", "/").endswith(case.filename)
        else (kind, filename, line, count, client)
        for kind, filename, line, count, client in found
    ]


def _expected(case: Case) -> list[Finding]:
    """What is to be found, nothing for an innocent program."""
    if case.kind is None:
        return []
    return [
        (case.kind, case.filename, line, case.count, case.client)
        for line in case.lines or (0,)
    ]
