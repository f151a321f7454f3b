"""The command, on programs that run without httpguard."""

from __future__ import annotations

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from tests.attach.programs import (
    LOOP,
    READY,
    attach,
    command,
    has,
    look,
    python,
    running,
    until,
)
from tests.program import ROOT, write
from tests.running import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

__all__ = ["python"]

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the programs look at /proc/self"
)
PARKED = """
import requests
session = requests.Session()
parked = session.get({url!r}, stream=True)
"""
STARVED = """
import requests
from requests.adapters import HTTPAdapter
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
parked = session.get({url!r}, stream=True)
session.get({url!r}, stream=True)
def fetch():
    session.get({url!r})
workers = [threading.Thread(target=fetch, name="worker", daemon=True)]
workers[0].start()
"""
BEFORE = "<opened before httpguard came>"


def test_a_hung_pool_tells_who_has_its_slots_and_nothing_is_left(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = STARVED.format(url=server.url("/bytes/900000")) + LOOP
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        state = look(python, program.pid)
        assert program.ask("probe()") == before
        assert not before["ours"]
        (starved,) = state["attached"]["starved"]
        (waiter,) = starved["waiters"]
        assert (waiter["count"], waiter["threads"]) == (1, ["worker"])
        assert waiter["site"]["filename"].endswith("program.py")
        assert waiter["site"]["function"] == "fetch"
        assert [(one["kind"], one["count"]) for one in starved["lost"]] == [
            ("dropped", 1)
        ]
        (row,) = state["attached"]["before"]
        assert (row["client"], row["read_by"]) == ("requests", None)
        assert "__main__.parked" in row["held_by"]
        (pool,) = state["pools"]
        assert (pool["open"], pool["lost"], pool["waiting"]) == (1, 1, 1)
        assert program.end() == ""


def test_the_screen_says_the_same(python: str, tmp_path: Path, server: Server) -> None:
    source = STARVED.format(url=server.url("/bytes/900000")) + LOOP
    with running(python, tmp_path, source) as program:
        ended = attach(python, program.pid)
        assert ended.returncode == 0
        assert "pool starved http://127.0.0.1" in ended.stdout
        assert "1 lost by a dropped response opened before httpguard came" in (
            ended.stdout
        )
        assert "1 waiting at " in ended.stdout
        assert "held by: [cut: __main__.parked (module global)]" in ended.stdout
        assert ended.stderr == ""


def test_asyncio_with_httpx_and_aiohttp(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = f"""
import asyncio, httpx
try:
    import aiohttp
except ImportError:
    aiohttp = None
async def main():
    client = httpx.AsyncClient(limits=httpx.Limits(max_connections=2), timeout=None)
    async def drop():
        request = client.build_request("GET", {server.url("/bytes/900000")!r})
        return await client.send(request, stream=True)
    kept = [await drop()]
    await drop()
    waiting = asyncio.create_task(drop(), name="waiting")
    if aiohttp:
        session = aiohttp.ClientSession()
        kept.append(await session.get({server.url("/bytes/900000")!r}))
    await asyncio.sleep(0.1)
    print(os.getpid(), flush=True)
    while True:
        await asyncio.sleep(0.02)
asyncio.run(main())
"""
    with running(python, tmp_path, source) as program:
        has_aiohttp = program.ask("aiohttp is not None")
        state = look(python, program.pid)
        rows = {row["client"]: row["held_by"] for row in state["attached"]["before"]}
        assert sorted(rows) == ["aiohttp", "httpx"] if has_aiohttp else ["httpx"]
        assert all("kept (local of coroutine main())" in held for held in rows.values())
        (starved,) = state["attached"]["starved"]
        (waiter,) = starved["waiters"]
        assert (waiter["count"], waiter["threads"]) == (1, ["waiting"])
        assert waiter["site"]["function"] == "drop"
        assert [(one["kind"], one["count"]) for one in starved["lost"]] == [
            ("dropped", 1)
        ]
        assert program.end() == ""


def test_greenlets_that_wait_are_seen(
    python: str, tmp_path: Path, server: Server
) -> None:
    if not has(python, "gevent"):
        pytest.skip("that interpreter has no gevent")
    source = f"""
from gevent import monkey, spawn, wait
monkey.patch_all()
import requests
from requests.adapters import HTTPAdapter
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=2, pool_block=True))
parked = session.get({server.url("/bytes/900000")!r}, stream=True)
def fetch():
    return session.get({server.url("/bytes/900000")!r}, stream=True).status_code
spawn(fetch).join()
waiting = [spawn(fetch) for _ in range(3)]
{READY}
import gevent
while True:
    gevent.sleep(0.02)
"""
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        state = look(python, program.pid)
        assert program.ask("probe()") == before
        (starved,) = state["attached"]["starved"]
        (waiter,) = starved["waiters"]
        assert (waiter["count"], waiter["site"]["function"]) == (3, "fetch")
        assert [(one["kind"], one["count"]) for one in starved["lost"]] == [
            ("dropped", 1)
        ]
        (row,) = state["attached"]["before"]
        assert "__main__.parked" in row["held_by"]
        assert program.end() == ""


def test_what_leaks_from_then_on_has_its_line(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = f"""
import requests, time
session = requests.Session()
def leak():
    session.get({server.url("/bytes/900000")!r}, stream=True)
leaks = False
{READY}
while True:
    time.sleep(0.02)
    if leaks:
        leak()
        leaks = False
"""
    log = tmp_path / "leaks.jsonl"
    with running(python, tmp_path, source) as program:
        words = command(python, program.pid, "--log", str(log), "--for", "60")
        process = subprocess.Popen(
            words, env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        until(lambda: program.ask("probe()")["ours"])
        until(lambda: program.ask("probe()")["watchers"])
        program.ask("globals().update(leaks=True)")
        until(lambda: log.exists() and log.read_text("utf-8").count("\n") >= 1)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=150)
        until(lambda: not program.ask("probe()")["ours"])
        assert program.end() == ""
    line = json.loads(log.read_text("utf-8").splitlines()[0])
    assert (line["event"], line["kind"], line["count"]) == (
        *("httpguard.leak", "dropped"),
        1,
    )
    assert line["site"]["function"] == "leak"
    del out


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("lock = threading.Lock(); lock.acquire(); lock.acquire()", "program.py:"),
        (
            (
                "def work():\n    import time; time.sleep(60)\n"
                "worker = threading.Thread(target=work, daemon=True)\n"
                "worker.start(); worker.join()"
            ),
            "Thread.join of ",
        ),
        ("pow(3, 10**9)", "program.py:"),
    ],
    ids=["hung in a lock", "threads only", "busy in C"],
)
def test_a_main_thread_that_does_not_come_is_told_of(
    source: str, where: str, python: str, tmp_path: Path
) -> None:
    with running(python, tmp_path, READY + source) as program:
        began = time.monotonic()
        ended = attach(python, program.pid, "--patience", "2.5")
        assert time.monotonic() - began < 60
        assert ended.returncode == 2
        assert f"waits for the main thread of process {program.pid}" in ended.stderr
        assert "has not come to a safe point in 2.5 s" in ended.stderr
        assert where in ended.stderr
        assert "it was left as it is" in ended.stderr
        # What was asked of it is called off.
        assert program.end() == ""


def test_what_was_called_off_is_not_run_later(python: str, tmp_path: Path) -> None:
    source = f"""
import requests, time
turns, gate = 0, threading.Lock()
gate.acquire()
{READY}
gate.acquire()
while True:
    turns += 1
    time.sleep(0.02)
"""
    with running(python, tmp_path, source) as program:
        ended = attach(python, program.pid, "--patience", "0.2")
        assert ended.returncode == 2
        before = program.ask("probe()")
        program.ask("gate.release()")
        program.wait_for("turns > 5")
        assert program.ask("probe()") == before
        assert look(python, program.pid)["installed"]
        assert program.end() == ""


def test_attaching_twice_is_one(python: str, tmp_path: Path, server: Server) -> None:
    source = PARKED.format(url=server.url("/bytes/900000")) + LOOP
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        words = command(python, program.pid, "--for", "300")
        first = subprocess.Popen(
            words, env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL
        )
        until(lambda: program.ask("probe()")["ours"])
        state = look(python, program.pid)
        assert not state["attached"]["only_shown"]
        assert len(state["attached"]["before"]) == 1
        assert program.ask("probe()")["ours"]
        # However it ends.
        first.kill()
        first.wait()
        until(lambda: program.ask("probe()") == before)
        assert program.end() == ""


def test_stay_leaves_it_on_and_the_next_one_takes_it_off(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = PARKED.format(url=server.url("/bytes/900000")) + LOOP
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        ended = attach(python, program.pid, "--stay", "--json")
        assert ended.returncode == 0
        assert f"httpguard stays in process {program.pid}" in ended.stderr
        between = program.ask("probe()")
        assert "httpguard" in between["ours"]
        assert between["descriptors"] == before["descriptors"]
        assert program.ask("len(sys.modules['httpguard'].snapshot().open)") == 1
        look(python, program.pid)
        until(lambda: program.ask("probe()") == before)
        assert program.end() == ""


def test_a_program_that_has_it_is_only_shown(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = f"""
sys.path.insert(0, {str(ROOT)!r})
import httpguard
httpguard.install(max_idle=77)
{PARKED.format(url=server.url("/bytes/900000"))}
{LOOP}
"""
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        state = look(python, program.pid, "--max-idle", "5")
        assert state["attached"] == {"only_shown": True}
        assert state["settings"]["max_idle"] == 77
        (one,) = state["open"]
        assert one["site"]["filename"].endswith("program.py")
        assert program.ask("httpguard.snapshot().counters.opened") == 1
        after = program.ask("probe()")
        assert after["patches"] == before["patches"]
        assert after["threads"] == before["threads"]
        assert after["descriptors"] == before["descriptors"]
        assert program.end() == ""


def test_a_forked_child_is_as_if_nobody_had_come(
    python: str, tmp_path: Path, server: Server
) -> None:
    source = f"""
{PARKED.format(url=server.url("/bytes/900000"))}
import time
forks, told = False, None
{READY}
while True:
    time.sleep(0.02)
    if forks:
        forks = False
        reader, writer = os.pipe()
        if not os.fork():
            os.write(writer, json.dumps(probe()).encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as file:
            told = json.load(file)
        os.wait()
"""
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        words = command(python, program.pid, "--for", "300")
        first = subprocess.Popen(
            words, env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL
        )
        until(lambda: program.ask("probe()")["ours"])
        until(lambda: program.ask("probe()")["watchers"])
        program.ask("globals().update(forks=True)")
        program.wait_for("told is not None")
        child = program.ask("told")
        assert child["patches"] == before["patches"]
        assert child["ours"] == []
        assert child["finders"] == before["finders"]
        first.send_signal(signal.SIGINT)
        first.wait(150)
        until(lambda: program.ask("probe()") == before)
        del child


def test_a_program_of_one_thread_is_not_warned_as_it_forks(
    python: str, tmp_path: Path
) -> None:
    source = """
    import os, sys, time
    print(os.getpid(), flush=True)
    while True:
        time.sleep(0.01)
        if not os.fork():
            os._exit(0)
        os.wait()
        print("forked", len(sys.meta_path), flush=True)
    """
    words = [python, "-W", "always", str(write(tmp_path / "forks.py", source))]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline
    pid, before = int(line()), line()
    first = subprocess.Popen(
        command(python, pid, "--for", "300"),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    until(lambda: line() != before)
    # As it comes in, it has a thread that no fork can tell to end.
    told: set[str] = set()

    def is_quiet() -> bool:
        told.clear()
        told.update(line() for _ in range(50))
        return len(told) == 1

    until(is_quiet)
    assert before not in told
    assert "forked" in told.pop()
    first.send_signal(signal.SIGINT)
    assert first.wait(150) == 130
    until(lambda: line() == before)
    process.kill()
    process.communicate(timeout=30)


def test_what_fails_inside_is_told_to_whoever_attached(
    python: str, tmp_path: Path
) -> None:
    """The program has broken what is needed to come in."""
    source = "import requests, select\ndel select.poll" + LOOP
    with running(python, tmp_path, source) as program:
        before = program.ask("probe()")
        ended = attach(python, program.pid)
        assert ended.returncode == 2
        assert f"httpguard failed in process {program.pid}" in ended.stderr
        assert "AttributeError" in ended.stderr
        until(lambda: program.ask("probe()") == before)
        assert program.end() == ""


def test_children(python: str, tmp_path: Path, server: Server) -> None:
    source = f"""
import time
reader, writer = os.pipe()
child = os.fork()
if not child:
    {PARKED.format(url=server.url("/bytes/900000")).replace(chr(10), chr(10) + "    ")}
    os.write(writer, b"x")
else:
    os.read(reader, 1)
    {READY.strip()}
while True:
    time.sleep(0.02)
"""
    with running(python, tmp_path, source) as program:
        child = program.ask("child")
        try:
            ended = attach(python, program.pid, "--json", "--children")
            states = [json.loads(line) for line in ended.stdout.splitlines()]
            opened = {one["program"]["pid"]: one["open_now"] for one in states}
            assert opened == {program.pid: 0, child: 1}
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_worker_of_gunicorn_that_hangs(
    python: str, tmp_path: Path, server: Server
) -> None:
    """As docs/attach.md has it."""
    page = (ROOT / "docs" / "attach.md").read_text("utf-8")
    shop = page.split('```python title="shop.py"\n')[1].split("```")[0]
    known = subprocess.run([python, "-c", "import gunicorn"], check=False)
    if known.returncode:
        pytest.skip("no gunicorn is installed there")
    write(tmp_path / "shop.py", shop)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = ["-b", f"127.0.0.1:{port}", "--threads", "8", "--timeout", "300"]
    env = {**os.environ, "STOCK": server.url("")}
    process = subprocess.Popen(
        [python, "-m", "gunicorn", *words, "shop:app"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: _answers(port, "/"))
        assert _answers(port, "/price")
        assert _answers(port, "/page")
        for _ in range(3):
            threading.Thread(
                target=_answers, args=(port, "/price"), daemon=True
            ).start()
        (worker,) = psutil.Process(process.pid).children()
        until(lambda: worker.num_threads() > 3)
        time.sleep(0.5)
        ended = attach(python, process.pid, "--children", "--json")
        states = [json.loads(line) for line in ended.stdout.splitlines()]
        assert len(states) == 2
        (starved,) = states[0]["attached"]["starved"]
        (waiter,) = starved["waiters"]
        assert (waiter["count"], waiter["site"]["function"]) == (3, "price")
        assert f"shop.py:{waiter['site']['lineno']} in price" in page
        assert [(one["kind"], one["count"]) for one in starved["lost"]] == [
            ("dropped", 1)
        ]
        (row,) = states[0]["attached"]["before"]
        assert row["held_by"].startswith("shop.pages (module global)")
        assert states[1]["program"]["pid"] == process.pid
        assert states[1]["attached"]["before"] == []
    finally:
        for child in psutil.Process(process.pid).children():
            child.kill()
        process.kill()
        _, errors = process.communicate(timeout=30)
    assert "httpguard" not in errors


def _answers(port: int, path: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=20).ok
    except requests.RequestException:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes root")
def test_root_attaches_to_another_users_program(python: str, server: Server) -> None:
    """Which can not read where root's packages are."""
    source = f"""
import os, time
os.setgid(65534)
os.setuid(65534)
{PARKED.format(url=server.url("/bytes/900000"))}
{READY}
while True:
    time.sleep(0.02)
"""
    process = subprocess.Popen(
        [python, "-c", source], stdout=subprocess.PIPE, text=True, cwd="/"
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    before = set(os.listdir(f"/proc/{pid}/fd"))
    state = look(python, pid)
    (row,) = state["attached"]["before"]
    assert "__main__.parked" in row["held_by"]
    until(lambda: set(os.listdir(f"/proc/{pid}/fd")) == before)
    assert not glob.glob(os.path.join(tempfile.gettempdir(), "httpguard-*"))
    process.kill()
    process.communicate(timeout=30)


def test_it_serves_its_page_where_that_is_asked_for(
    python: str, tmp_path: Path, server: Server
) -> None:
    with running(python, tmp_path, "import requests" + LOOP) as program:
        before = program.ask("probe()")
        ended = attach(python, program.pid, "--stay", "--json", "--serve", "0")
        assert ended.returncode == 0
        assert "httpguard-page" in program.ask("probe()")["threads"]
        look(python, program.pid)
        until(lambda: program.ask("probe()") == before)
