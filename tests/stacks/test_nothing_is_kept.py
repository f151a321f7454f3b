"""Sweeps look at a program while it runs, and nothing of it lives longer for that."""

from __future__ import annotations

import ast
import gc
import inspect
import sys
import textwrap
import weakref
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
import requests

import httpguard
from httpguard._stacks.variables import variables
from tests.catalogue import Case, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import GuardControl
    from tests.server import Server

    Look = Callable[[], None]

# Whether an error is met, and with it a cycle, is up to the server's haste.
RACING = {"blocking_pools.pool_reused"}
# Those of these SDKs, of httpx and of aiohttp are functions around programs.
AROUND = (
    *("httpx_", "aiohttp_", "sdk_anthropic", "sdk_elasticsearch", "sdk_genai"),
    *("sdk_huggingface", "sdk_openai", "sdk_supabase"),
)
# gevent patches its process, and threads may let go a moment later.
CASES = [
    case
    for case in load()
    if not case.subprocess
    and case.name not in RACING
    and not case.name.startswith(("threads.", "futures.", *AROUND))
]


class Locals:
    """Weak references to the variables of a case, as it returns."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._references: dict[str, weakref.ref[Any]] = {}

    def __call__(self) -> None:
        for name, value in variables(sys._getframe(1)):
            with suppress(TypeError):
                self._references[name] = weakref.ref(value)
        self._look()

    @property
    def alive(self) -> set[str]:
        found = self._references.items()
        return {name for name, reference in found if reference() is not None}


pytestmark = pytest.mark.usefixtures("small_heap")


@pytest.mark.parametrize("case", CASES, ids=attrgetter("name"))
def test_a_case(case: Case, guard: GuardControl, server: Server) -> None:
    before = outcome(case, server, lambda: None)
    guard.install(**{"explain": 60.0, **case.settings})
    max_idle = httpguard.Settings(**case.settings).max_idle

    def look() -> None:
        with suppress(httpguard.LeakError):
            guard.check()
        guard.advance(1.5 * max_idle)
        with suppress(httpguard.LeakError):
            guard.check()

    after = outcome(case, server, look)
    assert (after[0] - before[0], after[1] - before[1]) == (set(), set())
    assert guard.check().counters["errors"] == 0


def outcome(case: Case, server: Server, look: Look) -> tuple[set[str], set[str]]:
    """Which variables live while the result is kept, and then."""
    function, seen = watched(case, look)
    gc.collect()
    gc.disable()
    try:
        kept = function(server)
        if inspect.isgenerator(kept):
            with suppress(StopIteration):
                while True:
                    next(kept)
        while_kept = seen.alive
        del kept
        return while_kept, seen.alive
    finally:
        gc.enable()


def watched(case: Case, look: Look) -> tuple[Any, Locals]:
    """The case's function, which has a look taken at it before it returns."""
    source = textwrap.dedent(inspect.getsource(case.function))
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    function.decorator_list.clear()
    end = ast.parse("locals_of_the_case()").body
    function.body = [ast.Try(function.body, [], [], end)]
    module = ast.fix_missing_locations(ast.Module([function], []))
    seen = Locals(look)
    space = {**case.function.__globals__, "locals_of_the_case": seen}
    filename = case.function.__code__.co_filename
    exec(compile(module, filename, "exec"), space)
    return space[function.name], seen


def test_what_is_held_dies_as_the_running_function_lets_it_go(
    guard: GuardControl, server: Server
) -> None:
    guard.install(explain=60.0)

    def function() -> None:
        held = requests.get(server.url("/bytes/90000"), stream=True)
        reference, below = weakref.ref(held), weakref.ref(held.raw)
        for _ in range(2):
            guard.advance(100)
            (leak,) = guard.check().leaks
        assert "held (local of function()" in str(leak.held_by)
        del held
        assert (reference(), below()) == (None, None)

    gc.collect()
    gc.disable()
    try:
        function()
    finally:
        gc.enable()


def test_names_made_by_exec_outlive_a_sweep(
    guard: GuardControl, server: Server
) -> None:
    guard.install(explain=60.0)

    def function() -> None:
        held = requests.get(server.url("/bytes/90000"), stream=True)
        exec("made = held", globals(), locals())
        guard.advance(100)
        assert guard.check().counters["held"] == 1
        assert sys.version_info >= (3, 13) or "made" in locals()
        held.close()

    function()
