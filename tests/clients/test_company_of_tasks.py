"""httpx and aiohttp beside others that patch them: each order, each in a process.

The companion stays on; the guard is taken off and put on again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

_HTTPX: Final = """
import asyncio, contextlib, gc, json, sys
import httpx, httpguard
url, order = sys.argv[1:]

def sync():
    with httpx.Client() as client:
        assert len(client.get(url).content) == 2_000_000
        with client.stream("GET", url) as response:
            assert response.read()
        client.send(client.build_request("GET", url), stream=True)
        gc.collect()

async def tasks():
    async with httpx.AsyncClient() as client:
        assert len((await client.get(url)).content) == 2_000_000
        async with client.stream("GET", url) as response:
            assert await response.aread()
        await client.send(client.build_request("GET", url), stream=True)
        gc.collect()

def program():
    sync()
    asyncio.run(tasks())
"""

_AIOHTTP: Final = """
import asyncio, contextlib, gc, json, sys
import aiohttp, httpguard
url, order = sys.argv[1:]

async def tasks():
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert len(await response.read()) == 2_000_000
        await session.get(url)
        await asyncio.sleep(0.05)
        httpguard.check()
        httpguard.check()

def program():
    asyncio.run(tasks())
    asyncio.run(tasks())
"""

_END: Final = """
def guard():
    httpguard.install(check_interval=0)

def seen():
    found = httpguard.check()
    return [sorted([str(one.kind), one.count] for one in found.leaks),
            found.counters["errors"]]

first, second = (guard, other) if order == "guard" else (other, guard)
first()
second()
program()
before = seen()
httpguard.uninstall()
program()
guard()
program()
json.dump([before, seen(), saw()], sys.stdout)
"""

_DDTRACE: Final = """
import os
os.environ.update(DD_INSTRUMENTATION_TELEMETRY_ENABLED="0", DD_TRACE_STARTUP_LOGS="0",
                  DD_REMOTE_CONFIGURATION_ENABLED="0", DD_CRASHTRACKING_ENABLED="0")
import ddtrace
from ddtrace.trace import TraceFilter, tracer
spans = []

class Kept(TraceFilter):
    def process_trace(self, trace):
        spans.extend(span.name for span in trace)

tracer.configure(trace_processors=[Kept()])

def other():
    ddtrace.patch({name}=True, raise_errors=True)

def saw():
    return len(spans) > 0
"""

_SENTRY: Final = """
import sentry_sdk
from sentry_sdk.integrations.aiohttp import AioHttpIntegration

class Nowhere(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        pass

def other():
    sentry_sdk.init(dsn="http://k@127.0.0.1:9/1", traces_sample_rate=1.0,
                    integrations=[AioHttpIntegration()], transport=Nowhere)

def saw():
    return True
"""

_RESPX: Final = """
import respx
MOCKED = "http://service.invalid/"

def other():
    mock = respx.mock(assert_all_called=False)
    mock.start()
    mock.get(MOCKED).respond(200, text="x")
    mock.route(host="127.0.0.1").pass_through()
    with httpx.Client() as client:
        client.send(client.build_request("GET", MOCKED), stream=True)
        gc.collect()

def saw():
    return True
"""

_AIORESPONSES: Final = """
import aioresponses
MOCKED = "http://service.invalid/"

def other():
    mock = aioresponses.aioresponses(passthrough=["http://127.0.0.1"])
    mock.start()
    mock.get(MOCKED, body="x" * 1000, repeat=True)

    async def ask():
        async with aiohttp.ClientSession() as session:
            kept = await session.get(MOCKED)
            assert kept.status == 200

    # With aiohttp 3.14 and later aioresponses 0.7 makes no answers of its own.
    with contextlib.suppress(TypeError):
        asyncio.run(ask())

def saw():
    return True
"""

CASES: Final = {
    "httpx-ddtrace": (_HTTPX, _DDTRACE.replace("{name}", "httpx"), "ddtrace", 2),
    "httpx-respx": (_HTTPX, _RESPX, "respx", 2),
    "aiohttp-ddtrace": (_AIOHTTP, _DDTRACE.replace("{name}", "aiohttp"), "ddtrace", 1),
    "aiohttp-sentry": (_AIOHTTP, _SENTRY, "sentry_sdk", 1),
    "aiohttp-aioresponses": (_AIOHTTP, _AIORESPONSES, "aioresponses", 1),
}


@pytest.mark.parametrize("order", ["guard", "other"])
@pytest.mark.parametrize("name", CASES)
def test_beside_a_companion(name: str, order: str, server: Server) -> None:
    program, companion, module, sites = CASES[name]
    for needed in (name.partition("-")[0], module):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    before, after, saw = _observed(program + companion + _END, order, server)
    leaks = [["dropped", 1]] * 2 if sites == 2 else [["dropped", 2]]
    assert before == [leaks, 0]
    assert after == before
    assert saw


def _observed(program: str, order: str, server: Server) -> Any:
    """What a program has printed."""
    done = subprocess.run(
        [sys.executable, "-c", program, server.url("/bytes/2000000"), order],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "stepped aside" not in done.stderr
    return json.loads(done.stdout)


_SUITE: Final = """
import gc

def test_drops(httpx_mock):
    import httpx
    httpx_mock.add_response(text="x" * 1000)
    with httpx.Client() as client:
        request = client.build_request("GET", "http://service.invalid/")
        client.send(request, stream=True)
        gc.collect()
"""


def test_what_pytest_httpx_answers_is_no_leak(tmp_path: Path) -> None:
    """Under the plugin: its answers hold no connection."""
    pytest.importorskip("pytest_httpx")
    (tmp_path / "test_mocked.py").write_text(_SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--httpguard", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
