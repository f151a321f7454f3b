"""The JSON lines log: its fields, many writers, rotation, and every way to fail."""

from __future__ import annotations

import asyncio
import enum
import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timezone
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import aiohttp
import httpx
import pytest
import requests
import urllib3
from urllib3.exceptions import EmptyPoolError

import httpguard
from httpguard import _reporting
from httpguard._model.event import POOL_PRESSURE, Event
from httpguard._process.process import PROCESS
from httpguard._reporting.json_lines import append_line, encode, jsonable
from httpguard._text.events import render
from tests.program import ROOT, line_of, run, write

if TYPE_CHECKING:
    from tests.conftest import GuardControl
    from tests.server import Server

SCHEMA = Path(_reporting.__file__).with_name("json_lines.schema.json")
LEAKY = """
import os, sys
import httpguard; httpguard.install(check_interval=0)
import requests
def fetch():
    return requests.get(sys.argv[1] + "?token=secret", stream=True).status_code  # LEAK
fetch()
os.chdir("/")
print(httpguard.check().counters["errors"])
"""
STRUCTLOG = """
import structlog
structlog.contextvars.bind_contextvars(request_id="r-17", job={{"n": 1}}, when=object)
"""


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log, each checked against the schema."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    validate(lines)
    return lines


def close(node: Any) -> None:
    """No line, and no item of a list in it, may have a field that is not named."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, (dict, list)):
            close(value)
        if key in {"items", "frame"}:
            value["unevaluatedProperties"] = False


def validate(lines: list[dict[str, Any]]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    close(schema)
    schema["unevaluatedProperties"] = False
    validator = jsonschema.Draft202012Validator(schema)
    for line in lines:
        assert [error.message for error in validator.iter_errors(line)] == []


def test_a_leak_and_the_summary(url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", STRUCTLOG.format() + LEAKY)
    started = datetime.now(timezone.utc)
    done = run(program, url, cwd=tmp_path, env={"HTTPGUARD_LOG": "leaks.jsonl"})
    # A relative path is meant from where the program was installed.
    leak, summary = read(tmp_path / "leaks.jsonl")
    assert leak["event"] == "httpguard.leak"
    assert leak["site"] == {
        "filename": str(program),
        "lineno": line_of(STRUCTLOG.format() + LEAKY, "# LEAK"),
        "function": "fetch",
        "application": True,
        "awaited": False,
        "submitted": False,
        "cut": False,
    }
    assert [frame["application"] for frame in leak["stack"][:3]] == [True, True, False]
    assert (leak["kind"], leak["count"], leak["level"]) == ("dropped", 1, "warning")
    assert leak["url"] == f"{url}?token=…"
    assert leak["context"] == {
        "request_id": "r-17",
        "job": {"n": 1},
        "when": "<class 'object'>",
    }
    assert (leak["open_now"], leak["leaks_total"]) == (0, 1)
    assert leak["program"] == "app.py"
    assert started <= datetime.fromisoformat(leak["timestamp"])
    assert leak["timestamp"].endswith("+00:00")
    assert summary["event"] == "httpguard.summary"
    assert [entry["count"] for entry in summary["leaks"]] == [1]
    assert summary["run"] == leak["run"]
    # The application's log has it too.
    assert f"leak dropped {program}" in done.stderr
    assert "secret" not in (tmp_path / "leaks.jsonl").read_text()


def test_held_resolved_and_too_many(
    url: str, guard: GuardControl, tmp_path: Path
) -> None:
    log = tmp_path / "leaks.jsonl"
    guard.install(log=log, max_open=1, max_idle=5, strict=False)
    parked = [requests.get(url, stream=True) for _ in range(2)]
    guard.advance(6)
    guard.check()
    for response in parked:
        response.close()
    guard.check()
    lines = read(log)
    assert [line["event"] for line in lines] == [
        "httpguard.too_many_open",
        "httpguard.leak",
        # The leak's line tells of the first of two.
        "httpguard.counts",
        "httpguard.resolved",
    ]
    crowd, leak, counts, resolved = lines
    assert [each["count"] for each in (leak, *counts["leaks"])] == [1, 2]
    assert [response["method"] for response in crowd["responses"]] == ["GET", "GET"]
    assert crowd["max_open"] == 1
    assert leak["kind"] == resolved["kind"] == "held"
    assert resolved["resolved"] == 1


def test_a_leak_of_each_client(
    guard: GuardControl, server: Server, tmp_path: Path
) -> None:
    guard.install(log=tmp_path / "leaks.jsonl", max_idle=5, max_open=6)
    url = server.url("/bytes/9000000")
    connection = HTTPConnection(server.host, server.port)
    connection.request("GET", "/bytes/90000")

    parked = [
        requests.get(url, stream=True),
        urllib3.PoolManager().request("GET", url, preload_content=False),
        urlopen(url),
        connection.getresponse(),
        requests.get(url, stream=True),
    ]

    async def park() -> None:
        async with aiohttp.ClientSession() as session, httpx.AsyncClient() as client:
            also = await client.send(client.build_request("GET", url), stream=True)
            parked.append(await session.get(url))
            guard.advance(6)
            guard.check()
            await also.aclose()
            for response in parked:
                response.close()

    asyncio.run(park())
    lines = read(tmp_path / "leaks.jsonl")
    clients = {line["client"] for line in lines if line["event"] == "httpguard.leak"}
    assert clients == {
        "requests",
        "urllib3",
        "httpx",
        "aiohttp",
        "http.client",
        "urllib.request",
    }
    (crowd,) = [one for one in lines if one["event"] == "httpguard.too_many_open"]
    assert {each["client"] for each in crowd["responses"]} == clients


def test_a_starved_pool(guard: GuardControl, server: Server, tmp_path: Path) -> None:
    guard.install(log=tmp_path / "leaks.jsonl", max_wait=0, check_interval=0.05)
    pool = urllib3.HTTPConnectionPool(server.host, server.port, block=True, maxsize=1)
    held = pool.urlopen("GET", "/bytes/90000", preload_content=False)
    with closing(held), pytest.raises(EmptyPoolError):
        pool.urlopen("GET", "/lines", pool_timeout=1)
    (starved,) = [
        line
        for line in read(tmp_path / "leaks.jsonl")
        if line["event"] == "httpguard.pool_starved"
    ]
    (waiter,) = starved["waiters"]
    assert (starved["waiting"], waiter["longer"]) == (1, False)


def test_strict_mode_is_an_error(url: str, guard: GuardControl, tmp_path: Path) -> None:
    guard.install(log=tmp_path / "leaks.jsonl", strict=True)
    requests.get(url, stream=True)
    with pytest.raises(httpguard.LeakError):
        guard.check()
    assert [line["level"] for line in read(tmp_path / "leaks.jsonl")] == ["error"]


def test_settings_change_and_end_the_log(
    url: str, guard: GuardControl, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"

    def leak_at_another_site(number: int) -> None:
        exec(compile(f"requests.get({url!r}, stream=True)", f"<{number}>", "exec"))
        guard.check()

    guard.install(log=one)
    leak_at_another_site(1)
    guard.install(log=two)
    leak_at_another_site(2)
    guard.install()
    leak_at_another_site(3)
    guard.install(log=two)
    httpguard.uninstall()
    guard.install()
    leak_at_another_site(4)
    sites = [[line["site"]["filename"] for line in read(path)] for path in (one, two)]
    assert sites == [["<1>"], ["<2>"]]


def test_each_install_is_a_run_of_its_own(
    url: str, guard: GuardControl, tmp_path: Path
) -> None:
    for _ in range(2):
        guard.install(log=tmp_path / "log")
        requests.get(url, stream=True)
        guard.check()
        guard.install(log=tmp_path / "log", max_idle=3)  # The same run.
        exec(compile(f"requests.get({url!r}, stream=True)", "<other>", "exec"))
        guard.check()
        httpguard.uninstall()
    runs = [line["run"] for line in read(tmp_path / "log")]
    assert runs[0] == runs[1] != runs[2] == runs[3]


@pytest.mark.parametrize(
    ("file", "words", "name"),
    [
        ("shop/__main__.py", ("-m", "shop"), "shop"),
        ("shop/serve.py", ("-m", "shop.serve"), "shop.serve"),
        ("shop/serve.py", ("shop/serve.py",), "serve.py"),
    ],
)
def test_the_program_is_named_as_it_was_started(
    file: str, words: tuple[str, ...], name: str, url: str, tmp_path: Path
) -> None:
    write(tmp_path / file, LEAKY)
    run(*words, url, cwd=tmp_path, env={"HTTPGUARD_LOG": "log"})
    lines = read(tmp_path / "log")
    assert [line["program"] for line in lines] == [name, name]


def test_without_the_setting_nothing_of_it_is_loaded() -> None:
    program = """
import httpguard, sys; httpguard.install()
print([name for name in sys.modules if "json_lines" in name])
"""
    assert run("-c", program).stdout == "[]\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_a_run_of_its_own(url: str, tmp_path: Path) -> None:
    program = """
import os, sys
import httpguard; httpguard.install(check_interval=0, log=sys.argv[2])
import requests
requests.get(sys.argv[1], stream=True)
httpguard.check()
child = os.fork()
requests.get(sys.argv[1], stream=True)
if child:
    os.waitpid(child, 0)
"""
    log = tmp_path / "log"
    done = run(write(tmp_path / "app.py", program), url, log)
    assert done.returncode == 0, done.stderr
    lines = read(log)
    assert len({line["pid"] for line in lines}) == 2
    assert len({(line["run"], line["pid"]) for line in lines}) == 2
    final = [
        sorted(leak["count"] for leak in line["leaks"])
        for line in lines
        if line["event"] == "httpguard.summary"
    ]
    assert sorted(final) == [[1], [1, 1]]


HAMMER = """
import sys
from httpguard._reporting.json_lines import append_line
for number in range(int(sys.argv[3])):
    text = f"{sys.argv[2]} {number} " + "x" * (number * 7919 % 3000)
    append_line(sys.argv[1], text.encode() + b"\\n", 100_000, 1000)
"""


def test_many_processes_write_one_file(tmp_path: Path) -> None:
    log, each = tmp_path / "log", 1000
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, log, str(name), str(each)], env=environment
        )
        for name in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    files = sorted(tmp_path.iterdir())
    seen = []
    # A writer that is interrupted in its write makes another add a blank line: rare,
    # less than one in a hundred lines even on a busy machine.
    assert sum(file.read_text().count("\n\n") for file in files) < each * 4 // 100
    for file in files:
        for line in filter(None, file.read_text().splitlines()):
            name, number, padding = line.split(" ")
            assert padding == "x" * (int(number) * 7919 % 3000)
            seen.append((int(name), int(number)))
    assert sorted(seen) == [(name, n) for name in range(4) for n in range(each)]
    # About 1500 bytes a line; a file is not rotated twice, nor for nothing.
    # A process that is interrupted while it rotates makes a file or two larger.
    assert 30 <= len(files) <= 75


def test_rotation_keeps_so_many(tmp_path: Path) -> None:
    for number in range(9):
        append_line(str(tmp_path / "log"), b"%d23456789\n" % number, 20, 2)
    names = {file.name: file.read_text().split() for file in tmp_path.iterdir()}
    assert names == {
        "log": ["823456789"],
        "log.1": ["623456789", "723456789"],
        "log.2": ["423456789", "523456789"],
    }


def test_a_line_longer_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    for _ in range(2):
        append_line(str(tmp_path / "log"), b"x" * 99 + b"\n", 10, 1)
    assert [len(file.read_bytes()) for file in tmp_path.iterdir()] == [100, 100]


def test_no_rotation(tmp_path: Path) -> None:
    for _ in range(50):
        append_line(str(tmp_path / "log"), b"x" * 99 + b"\n", 0, 1)
    assert [len(file.read_bytes()) for file in tmp_path.iterdir()] == [5000]


def test_whoever_finds_the_file_locked_writes_all_the_same(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    log = tmp_path / "log"
    log.write_bytes(b"x\n" * 50)
    with log.open("rb") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        append_line(str(log), b"y\n", 10, 1)
    assert log.read_bytes().endswith(b"x\ny\n")
    assert [file.name for file in tmp_path.iterdir()] == ["log"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_lock_ends_with_the_rotation_though_a_child_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    log = tmp_path / "log"
    replace, children = os.replace, []
    may_end, end = os.pipe()

    def fork_and_replace(source: str, target: str) -> None:
        children.append(os.fork())
        if not children[-1]:
            os.read(may_end, 1)
            os._exit(0)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fork_and_replace)
    for _ in range(2):
        append_line(str(log), b"123456789\n", 10, 1)
    with (tmp_path / "log.1").open("rb") as rotated:
        fcntl.flock(rotated, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.write(end, b"x")
    (child,) = children
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(9):
        append_line(str(tmp_path / "log"), b"123456789\n", 20, 2)
        with pytest.raises(OSError, match="No space left"):
            append_line("/dev/full", b"123456789\n", 20, 2)
    assert os.listdir("/proc/self/fd") == before


def test_a_cut_line_costs_that_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b'{"whole": 1}\n{"cut": ')
    append_line(str(log), b"{}\n", 0, 1)
    assert log.read_bytes() == b'{"whole": 1}\n{"cut": \n{}\n'


def failing(path: str, url: str, tmp_path: Path) -> str:
    """What a program with two leaking sites says whose log cannot be written."""
    program = write(tmp_path / "app.py", LEAKY)
    done = run(program, url, cwd=tmp_path, env={"HTTPGUARD_LOG": path})
    # The leak, and the program's output, come as ever; the summary fails too.
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.count(f"leak dropped {program}:6") == 1
    assert done.stderr.count("stepped aside; the program goes on") == 1
    assert f"httpguard failed in writing to {path} and" in done.stderr
    return done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk(url: str, tmp_path: Path) -> None:
    assert "No space left on device" in failing("/dev/full", url, tmp_path)


def test_a_missing_directory(url: str, tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "log")
    assert "No such file or directory" in failing(path, url, tmp_path)


def test_a_directory_in_its_place(url: str, tmp_path: Path) -> None:
    failing(str(tmp_path), url, tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_no_permission(url: str, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "Permission denied" in failing(str(locked / "log"), url, tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_that_nobody_reads_is_no_wait(url: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    failing(str(tmp_path / "pipe"), url, tmp_path)


def test_a_disk_that_fills_up_and_is_cleared(
    url: str,
    guard: GuardControl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = tmp_path / "log"
    guard.install(log=log)
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:40]))
    requests.get(url, stream=True)
    assert guard.check().counters["errors"] == 1
    monkeypatch.undo()
    exec(compile(f"requests.get({url!r}, stream=True)", "<later>", "exec"))
    assert guard.check().counters["errors"] == 1
    cut, line = log.read_text().splitlines()
    assert len(cut) == 40
    assert json.loads(line)["site"]["filename"] == "<later>"
    assert caplog.text.count("stepped aside") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log", 7),
        ("log", b"bytes"),
        ("log", "nul\0"),
        ("log_max_bytes", -1),
        ("log_max_bytes", "64MiB"),
        ("log_keep", 0),
    ],
)
def test_what_is_not_accepted(name: str, value: object) -> None:
    with pytest.raises(httpguard.ConfigError, match=f"^{name}="):
        httpguard.Settings(**{name: value})  # type: ignore[arg-type]


class Color(enum.IntEnum):
    RED = 3


class Rude:
    def __str__(self) -> str:
        raise ValueError


class Shouting(str):
    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (Color.RED, 3),
        (2**70, str(2**70)),
        (1.5, 1.5),
        (float("nan"), "nan"),
        ("x" * 2000, "x" * 999 + "…"),
        (Decimal("1.20"), "1.20"),
        (Rude(), "<Rude>"),
        ({1: (2, {3})}, {"1": [2, "{3}"]}),
        ([[[[[1]]]]], [[[["[1]"]]]]),
        (list(range(99)), list(range(50))),
    ],
)
def test_what_is_bound_becomes_json(value: object, expected: object) -> None:
    assert jsonable(value) == expected
    record = json.loads(encode({"context": {"bound": value}}))
    assert set(record["context"]) == {"bound"}


def test_a_line_is_one_line_whatever_is_bound() -> None:
    line = encode({"context": {"a": "\n\r\u2028\x85\udc80\x00…", "b": Shouting("b")}})
    assert line.count(b"\n") == 1
    assert len(line.decode("ascii").splitlines()) == 1
    assert json.loads(line)["context"]["a"] == "\n\r\u2028\x85\udc80\x00…"


def frames(count: int) -> list[dict[str, Any]]:
    return [{"filename": "f" * 50, "lineno": number} for number in range(count)]


def test_a_long_stack_loses_its_middle() -> None:
    line = encode({"event": "e", "stack": frames(500)}, limit=4000)
    record = json.loads(line)
    assert [frame["lineno"] for frame in record["stack"]] == [
        *range(4),
        *range(488, 500),
    ]
    assert record["truncated"] == {"stack": 484}
    assert len(line) <= 4000


def test_a_long_summary_loses_stacks_first_and_then_leaks() -> None:
    leaks = [{"count": number, "stack": frames(9)} for number in range(64)]
    record = {"event": "e", "leaks": leaks, "context": {"k": "v" * 900}}
    stackless = json.loads(encode(record, limit=4000))
    assert stackless["truncated"] == {"stack": 64 * 9}
    assert [leak["count"] for leak in stackless["leaks"]] == list(range(64))
    line = encode(record, limit=700)
    short = json.loads(line)
    assert short["truncated"] == {"stack": 64 * 9, "context": 1, "leaks": 48}
    assert [leak["count"] for leak in short["leaks"]] == list(range(16))
    assert len(line) <= 1000


def test_the_longest_summary_there_can_be_keeps_its_counts() -> None:
    """The table has at most 1000 sites."""
    site = {"filename": "/srv/" + "d" * 95, "lineno": 1, "function": "f" * 30}
    leak = {"site": site, "stack": frames(40), "url": "u" * 300, "hint": "h" * 180}
    line = encode({"leaks": [{**leak, "count": number} for number in range(1000)]})
    assert len(json.loads(line)["leaks"]) == 1000
    assert len(line) <= 1 << 20


def test_the_counts_have_no_stacks(
    url: str, guard: GuardControl, tmp_path: Path
) -> None:
    guard.install(log=tmp_path / "leaks.jsonl")
    for _ in range(2):
        requests.get(url, stream=True)
    (leak,) = guard.check().leaks
    _, line = read(tmp_path / "leaks.jsonl")
    assert (line["event"], line["level"]) == ("httpguard.counts", "info")
    (total,) = line["leaks"]
    assert total == {
        "kind": "dropped",
        "count": 2,
        "resolved": 0,
        "site": leak.to_dict()["site"],
    }


def test_seconds_are_rounded_to_what_they_are_worth(
    url: str, guard: GuardControl, tmp_path: Path
) -> None:
    """In the log's fields as in the file; the program's own numbers are as they are."""
    log = tmp_path / "leaks.jsonl"
    guard.install(log=log, max_wait=1)
    details = {
        "pool": "http://api",
        "lately": 12,
        "connected": 20,
        "reuse_rate": 0.5,
        "seconds": 60.0,
        "hint": "make it larger",
        "longest_wait": 1.23456789,
        "waiters": [{"longest": 1.00049}],
    }
    event = Event(POOL_PRESSURE, "info", details=details, context={"x": 0.12345})
    for _, send in PROCESS.destinations.members:
        send(event)
    (line,) = map(json.loads, log.read_text().splitlines())
    assert line["longest_wait"] == 1.235
    assert line["waiters"] == [{"longest": 1.0}]
    assert line["context"] == {"x": 0.12345}
    rendered = render(event)
    assert rendered is not None
    assert rendered.fields["longest_wait"] == 1.235
