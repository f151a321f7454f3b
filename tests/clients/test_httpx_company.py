"""httpx beside others that patch it: each order, on and off, each in a process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytest.importorskip("httpx")

PROGRAM = """
import asyncio, contextlib, gc, json, sys
import httpx, httpguard

url, order, path = sys.argv[1:]

def sync(leak):
    with httpx.Client() as client:
        assert client.get(url).status_code == 200
        with client.stream("GET", url) as response:
            assert response.read()
        if leak:
            client.send(client.build_request("GET", url), stream=True)
            gc.collect()

async def tasks(leak):
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 200
        async with client.stream("GET", url) as response:
            assert await response.aread()
        if leak:
            await client.send(client.build_request("GET", url), stream=True)
            gc.collect()

def both(leak=True):
    sync(leak)
    asyncio.run(tasks(leak))

def seen():
    found = httpguard.check()
    kinds = [[str(one.kind), one.count] for one in found.leaks]
    return {"leaks": kinds, "opened": found.counters["opened"],
            "errors": found.counters["errors"]}

def guard():
    httpguard.install(check_interval=0, log=path)
"""

SENTRY = """
import sentry_sdk
from sentry_sdk.integrations.httpx import HttpxIntegration

class Nowhere(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        pass

def other():
    sentry_sdk.init(dsn="http://k@127.0.0.1:9/1", traces_sample_rate=1.0,
                    integrations=[HttpxIntegration()], transport=Nowhere)

first, second = (guard, other) if order == "guard" else (other, guard)
first()
second()
both()
before = seen()
httpguard.uninstall()
both()
guard()
both()
json.dump([before, seen()], sys.stdout)
"""

VCR = """
import vcr

def recorded(leak):
    with vcr.VCR().use_cassette(path + ".yaml", record_mode="new_episodes",
                                allow_playback_repeats=True):
        both(leak)

if order == "guard":
    guard()
    recorded(False)
    recorded(False)
else:
    with vcr.VCR().use_cassette(path + ".yaml", allow_playback_repeats=True):
        guard()
        both(False)
before = seen()
both()
json.dump([before, seen()], sys.stdout)
"""


def observed(program: str, order: str, server: Server, directory: Path) -> Any:
    """What a program has printed."""
    words = [server.url("/lines"), order, str(directory / "log")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program, *words],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("order", ["guard", "other"])
def test_beside_sentry(order: str, server: Server, tmp_path: Path) -> None:
    pytest.importorskip("sentry_sdk")
    before, after = observed(SENTRY, order, server, tmp_path)
    assert before == {"leaks": [["dropped", 1]] * 2, "opened": 4, "errors": 0}
    assert after == before


@pytest.mark.parametrize("order", ["guard", "other"])
def test_beside_vcrpy(order: str, server: Server, tmp_path: Path) -> None:
    """What it records it reads, and what it plays has no connection."""
    pytest.importorskip("vcr")
    before, after = observed(VCR, order, server, tmp_path)
    assert before["leaks"] == []
    assert after["leaks"] == [["dropped", 1]] * 2
    # Also inside of a cassette, where http.client's classes are vcrpy's.
    assert after["errors"] == 0
