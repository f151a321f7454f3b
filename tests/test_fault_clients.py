"""A fault in each function that looks at a client: the program gets what it got."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

import httpguard
from httpguard._model.failure import Failures
from httpguard._process import process as _process
from tests.conftest import GuardControl
from tests.faults._clients import PROGRAMS
from tests.faults._points import CLIENTS, FaultError, Point, calls, fault, points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server import Server

    Outcome = list[Any]
    Reference = list[tuple[Callable[..., Outcome], Outcome, set[Any]]]

# The walls: what stands in these is one `try`, or can not fail.
WALLS: Final = frozenset(
    {
        "_clients.httpx.notes.explain_silence",
        "_clients.httpx.notes.hand_on",
        "_clients.httpx.pools._waiting",
        "_clients.httpx.responses.opened",
        "_clients.httpx.cut_off._look_at",
        "_clients.httpx.cut_off.left_behind",
        "_clients.httpx.pools.take_lease",
        "_clients.httpx.pools.end",
        "_clients.httpx.window.uses_up",
        "_clients.httpx.pools.came_back",
        "_clients.aiohttp.calls._look_around",
        "_clients.aiohttp.calls._look_back",
        "_clients.aiohttp.calls._opened",
        "_clients.aiohttp.calls.Call.__init__",
        "_clients.aiohttp.connectors._ends",
        "_clients.http_client.connections.is_left_alone",
        "_clients.http_client.responses._opened",
        "_clients.http_client.responses._lease_of",
    }
)
POINTS: Final = [point for point in points(CLIENTS) if point.name not in WALLS]

pytestmark = [
    pytest.mark.usefixtures("small_heap"),
    pytest.mark.filterwarnings("ignore:Assigning a code object:DeprecationWarning"),
    # An error at the wrong place is what this is about.
    pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning"),
]


class Unguarded:
    """Installs nothing."""

    def install(self, **_settings: Any) -> None:
        """Not at all."""

    def advance(self, _seconds: float) -> None:
        """Nobody looks at the time."""

    def check(self) -> None:
        """Nor at anything else."""


class Guarded(GuardControl):
    """By the public function, since that is what contains a fault."""

    def install(self, **settings: Any) -> None:
        """As that."""
        httpguard.install(check_interval=0, **settings)
        guard = _process.current()
        if guard is not None:
            guard.registry.clock = lambda: self.now
            guard.registry.settle()


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing installed, before and after, and nothing remembered."""
    forget()
    yield
    forget()


def forget() -> None:
    httpguard.uninstall()
    _process.PROCESS.failures = Failures()


@pytest.fixture(scope="module")
def reference(server: Server) -> Reference:
    """Each program without a guard, and the code that runs with one."""
    found = []
    for package, programs in PROGRAMS.items():
        if find_spec(package) is None:
            continue
        for program in programs:
            forget()
            alone = program(Unguarded(), server)  # type: ignore[arg-type]
            with calls() as seen:
                guarded = program(Guarded(), server)
                httpguard.uninstall()
            assert guarded == alone
            found.append((program, alone, seen))
    return found


def test_the_walls_are_there() -> None:
    assert {point.name for point in points(CLIENTS)} >= WALLS


def test_most_points_are_called(reference: Reference) -> None:
    if not all(map(find_spec, PROGRAMS)):
        pytest.skip("not all of the clients are installed")
    seen = set().union(*(codes for _, _, codes in reference))
    missed = sorted(p.name for p in POINTS if p.function.__code__ not in seen)
    assert len(POINTS) - len(missed) > 110, missed


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_the_program_goes_on(
    point: Point, reference: Reference, server: Server
) -> None:
    error = MemoryError if POINTS.index(point) % 2 else FaultError
    code = point.function.__code__
    for program, alone, codes in reference:
        if code not in codes:
            continue
        forget()
        with fault(point.function, error):
            assert program(Guarded(), server) == alone
            httpguard.uninstall()
        break
