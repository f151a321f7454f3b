"""vcrpy around aiohttp's sessions, under the guard and above it."""

from __future__ import annotations

import asyncio
import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

import httpguard
from httpguard import LeakKind

aiohttp = pytest.importorskip("aiohttp")
vcr = pytest.importorskip("vcr")

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server


async def asked(url: str, count: int) -> list[int]:
    """The lengths of bodies."""
    async with aiohttp.ClientSession() as session:
        lengths = []
        for _ in range(count):
            async with session.get(url) as response:
                lengths.append(len(await response.read()))
        return lengths


async def dropped(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        await session.get(url)  # leaks
        for _ in range(2):
            gc.collect()
            httpguard.check()


@pytest.mark.parametrize("guard_first", [True, False])
def test_a_cassette_is_recorded_and_played(
    guard_first: Any, guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    url, tape = server.url("/bytes/9000"), str(tmp_path / "tape.yaml")
    before = vars(aiohttp.ClientSession)["_request"]
    for mode in ("all", "none"):
        with ExitStack() as stack:
            if guard_first:
                guard.install()
            played = stack.enter_context(
                vcr.use_cassette(tape, record_mode=mode, allow_playback_repeats=True)
            )
            if not guard_first:
                guard.install()
            assert asyncio.run(asked(url, 2)) == [9000, 9000]
            assert played.play_count == (2 if mode == "none" else 0)
            state = guard.check()
            assert (state.leaks, state.open) == ((), ())
            assert state.counters["errors"] == 0
        asyncio.run(dropped(server.url("/bytes/2000000")))
        kinds = [(leak.kind, leak.count) for leak in guard.check().leaks]
        # vcrpy puts back what was there before it, and so has the last word.
        assert kinds == ([(LeakKind.DROPPED, 1)] if guard_first else [])
        guard.install()
        asyncio.run(dropped(server.url("/bytes/2000000")))
        counts = [leak.count for leak in guard.check().leaks]
        assert counts == ([2] if guard_first else [1])
        httpguard.uninstall()
        assert vars(aiohttp.ClientSession)["_request"] is before
