"""The catalogue's coroutines of httpx and aiohttp, as tests of pytest's async plugins.

What its test has left open is `open`, or `dropped` where the collector has taken it or
nobody but its client has it.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.catalogue import load

if TYPE_CHECKING:
    from tests.catalogue import Case

    from .suites import Suite

pytest_plugins = ["pytester"]
pytest.importorskip("httpx")
pytest.importorskip("aiohttp")

CLIENTS: Final = ("aiohttp_", "httpx_")
# pytest-asyncio and anyio cancel, at the end of a test, what still holds these.
ENDED: Final = {"parked_generator", "in_a_with_block_that_waits"}
# It is read after the end of the program.
LATE: Final = {"body_alone_that_is_read"}

SUITE: Final = """\
import gc, aiohttp, httpx
from urllib.parse import urlsplit

from tests.server import Address
from tests.testing.test_async_catalogue import programs

parts = urlsplit(shop.URL)
SERVER = Address(parts.hostname, parts.port)
PROGRAMS = programs()
gc.collect()
gc.freeze()
# Whatever these return, and their sessions.
KEPT = []

async def run(name):
    program, case, _ = PROGRAMS[name]
    first = httpx
    if name.startswith("aiohttp_"):
        first = aiohttp.ClientSession()
        KEPT.append(first)
    KEPT.append(await program(first, SERVER))
"""
TESTS: Final = {
    "pytest_asyncio.plugin": """
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "name", [name for name, (_, _, loops) in PROGRAMS.items() if "asyncio" in loops]
)
async def test_program(name):
    await run(name)
""",
    # Under trio, those that can.
    "anyio.pytest_plugin": """
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("anyio_backend", "name"),
    [
        ("trio" if "trio" in loops else "asyncio", name)
        for name, (_, _, loops) in PROGRAMS.items()
    ],
)
async def test_program(anyio_backend, name):
    await run(name)
""",
}


def programs() -> dict[str, tuple[Any, Case, set[str]]]:
    """By name: the coroutine function, one of its cases, and the loops it runs in."""
    found: dict[str, tuple[Any, Case, set[str]]] = {}
    for case in load(*CLIENTS):
        program = inspect.unwrap(case.function)
        if not inspect.iscoroutinefunction(program) or case.settings:
            continue
        module = case.name.partition(".")[0]
        name = f"{module}.{program.__name__}"
        _, _, loops = found.setdefault(name, (program, case, set()))
        loops |= {"asyncio", "trio"} & set(case.needs)
    return {name: one for name, one in found.items() if one[2]}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("plugin", TESTS)
def test_programs(plugin: str, suite: Suite) -> None:
    known = programs()
    if plugin.startswith("pytest_asyncio"):
        known = {name: one for name, one in known.items() if "asyncio" in one[2]}
    suite.monkeypatch.setenv("HTTPGUARD_EXPLAIN", "0")
    suite.test(SUITE + TESTS[plugin])
    result = suite.run("-q", "--tb=no", "-rfE", plugins=(plugin,))
    failed = {
        name.rpartition("-")[2]
        for name in re.findall(r"::test_program\[(\S+)\]", result.stdout.str())
    }
    leaks = {
        name: case
        for name, (program, case, _) in known.items()
        if (case.kind and program.__name__ not in ENDED) or program.__name__ in LATE
    }
    assert failed == leaks.keys()
    named = re.findall(r"\d+ (\w+) at .*?(\w+\.py):(\d+) in ", result.stdout.str())
    for name, case in leaks.items():
        for line in case.lines:
            place = (f"{name.partition('.')[0]}.py", str(line))
            kinds = {kind for kind, *where in named if tuple(where) == place}
            assert kinds
            assert kinds <= ({"open"} if case.kind == "held" else {"dropped", "open"})
