"""Other libraries that patch the same clients: each beside httpguard, in any order."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.company._companions import CLIENTS, COMPANIONS
from tests.company._orders import ORDERS
from tests.company._programs import PROGRAMS, due
from tests.program import run

if TYPE_CHECKING:
    from tests.server import Server

RESULTS = [200, 200, 0, 200, 200, 90_000, 90_000, [2, 90_000], 90_000, 90_000, 0]


def observe(name: str, orders: list[str], server: Server) -> dict[str, Any]:
    if find_spec(COMPANIONS[name].module.partition(".")[0]) is None:
        pytest.skip(f"{name} has no wheel for this Python")
    url = server.url("/bytes/90000")
    done = run("-m", "tests.company", name, url, *orders)
    assert done.returncode == 0, done.stderr
    assert "stepped aside" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def check(name: str, steps: list[dict[str, Any]]) -> None:
    companion = COMPANIONS[name]
    on: set[str] = set()
    for seen in steps[:-1]:
        step = seen["step"]
        on ^= {step.removeprefix("-")} - {"guard again"}
        assert seen["results"] == RESULTS, step
        assert seen["errors"] == 0, step
        assert all(seen.get("given_back", ())), step
        assert seen["companion"] == ("companion" in on), step
        if "guard" not in on:
            assert seen["leaks"] == {}, step
        elif step != "-companion" or not companion.strips:
            real = companion.real if "companion" in on else CLIENTS
            assert seen["leaks"] == due(real), step
    assert not any(steps[-1]["ours_left"])


def test_the_marks_name_the_leaking_programs() -> None:
    assert len(RESULTS) == len(PROGRAMS)
    assert sorted(key.partition(":")[0] for key in due(CLIENTS)) == [
        "dropped",
        "dropped",
        "held",
        "unreleased",
    ]


@pytest.mark.parametrize("name", [name for name in COMPANIONS if name != "sentry"])
def test_beside_a_companion(name: str, server: Server) -> None:
    seen = observe(name, list(ORDERS), server)
    assert list(seen) == list(ORDERS)
    for steps in seen.values():
        check(name, steps)


@pytest.mark.parametrize("orders", [ORDERS[:2], ORDERS[2:]], ids=["after", "before"])
def test_beside_sentry(orders: tuple[str, ...], server: Server) -> None:
    """A process each: its patches in http.client stay for good."""
    for steps in observe("sentry", list(orders), server).values():
        check("sentry", steps)
