"""Reports: structlog configured, logging configured, nothing configured."""

from __future__ import annotations

import json
import linecache
import logging
import re
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
import requests

from httpguard import Frame
from httpguard._model.event import ADVICE, COUNTS, SESSION_CHURN, Event
from httpguard._process.process import PROCESS
from httpguard._text import leaks as _text
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

LEAKY = """
import sys
{setup}
import httpguard; httpguard.install(check_interval=0)
import requests
def fetch():
    return requests.get(sys.argv[1] + "?token=secret", stream=True).status_code  # LEAK
def main():
    fetch()
    httpguard.check()
main()
"""
JSON_LOGS = """
import structlog
structlog.configure(processors=[
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.JSONRenderer(),
])
structlog.contextvars.bind_contextvars(request_id="r-17", kind="overridden")
"""


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def program(tmp_path: Path, setup: str = "") -> Path:
    return write(tmp_path / "app.py", LEAKY.format(setup=setup))


def line(setup: str = "") -> int:
    return line_of(LEAKY.format(setup=setup), "# LEAK")


def headline(prefix: str, where: object, url: str) -> str:
    """The first line of the report, as a pattern."""
    return (
        rf"^{prefix}leak dropped {where} in fetch · GET {url}\?token=… · 200\n"
        r"  opened by thread MainThread \d+\.\d s ago · 0 of 90000 bytes read\n"
        r"  fix: open it with `with requests\.get"
    )


def test_nothing_configured_goes_to_stderr(url: str, tmp_path: Path) -> None:
    done = run(program(tmp_path), url, cwd=tmp_path)
    assert re.search(headline("", f"app.py:{line()}", url), done.stderr, re.MULTILINE)
    assert re.search(
        rf"^  > app.py:{line()} in fetch\n"
        r"        return requests.get\(sys.argv\[1\] \+ ",
        done.stderr,
        re.MULTILINE,
    )
    assert re.search(
        r"^    \S+api.py:\d+ in get\n        return request\(.+\n"
        r"    … 2 frames: requests$",
        done.stderr,
        re.MULTILINE,
    )
    assert done.stderr.count("leak dropped") == 1
    assert "secret" not in done.stderr.replace('"?token=secret"', "")
    assert done.stdout == ""


def test_a_file_elsewhere_is_named_whole(url: str, tmp_path: Path) -> None:
    path = program(tmp_path / "elsewhere")
    done = run(path, url, cwd=tmp_path.parent.parent.parent)
    assert f"elsewhere/app.py:{line()} in fetch" in done.stderr


def test_basic_config(url: str, tmp_path: Path) -> None:
    setup = "import logging; logging.basicConfig()"
    done = run(program(tmp_path, setup), url, cwd=tmp_path)
    pattern = headline("WARNING:httpguard:", f"app.py:{line()}", url)
    assert re.search(pattern, done.stderr, re.MULTILINE), done.stderr


def test_strict_reports_are_errors(url: str, tmp_path: Path) -> None:
    setup = "import logging; logging.basicConfig()"
    done = run(program(tmp_path, setup), url, env={"HTTPGUARD_STRICT": "1"})
    assert "ERROR:httpguard:leak dropped" in done.stderr
    assert "httpguard.LeakError: 1 leaked response (max_leaks=0)" in done.stderr
    assert done.returncode == 1


def test_structlog_gets_flat_fields_and_the_context(url: str, tmp_path: Path) -> None:
    done = run(program(tmp_path, JSON_LOGS), url)
    leak, summary = map(json.loads, done.stdout.splitlines())
    assert leak["event"] == "httpguard.leak"
    assert leak["level"] == "warning"
    assert leak["kind"] == "dropped"
    assert leak["site"] == f"{tmp_path / 'app.py'}:{line(JSON_LOGS)} in fetch"
    assert leak["request_id"] == "r-17"
    assert leak["url"] == f"{url}?token=…"
    assert leak["client"] == "requests"
    assert (leak["open_now"], leak["leaks_total"], leak["count"]) == (0, 1, 1)
    assert f"app.py:{line(JSON_LOGS)} in fetch" in leak["stack"]
    assert leak["stack"].count("requests/") == 3
    assert summary["event"] == "httpguard.summary"
    assert summary["leaks"][0]["site"] == leak["site"]
    assert done.stderr == ""


def test_the_context_is_that_of_the_opening(url: str, tmp_path: Path) -> None:
    source = """
    import contextvars, sys
    import structlog
    structlog.configure(processors=[
        structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()
    ])
    import httpguard; httpguard.install(check_interval=0, max_idle=0)
    import requests
    def handle(request_id):
        structlog.contextvars.bind_contextvars(request_id=request_id)
        return requests.get(sys.argv[1], stream=True)
    kept = [contextvars.copy_context().run(handle, number) for number in (1, 2)]
    structlog.contextvars.bind_contextvars(request_id=3)
    httpguard.check()
    """
    done = run(write(tmp_path / "app.py", source), url)
    leaks = [json.loads(text) for text in done.stdout.splitlines()]
    # One site, so one report: of the first one found.
    assert [
        leak["request_id"] for leak in leaks if leak["event"] == "httpguard.leak"
    ] in (
        [1],
        [2],
    )


def test_structlogs_own_console(url: str, tmp_path: Path) -> None:
    setup = """
import structlog
structlog.configure(cache_logger_on_first_use=True)
"""
    done = run(program(tmp_path, setup), url, env={"NO_COLOR": "1"})
    assert "httpguard.leak" in done.stdout
    assert "kind=dropped" in done.stdout
    assert f"app.py:{line(setup)} in fetch" in done.stdout
    assert "stepped aside" not in done.stderr


def test_a_chain_that_refuses_the_event_loses_nothing(url: str, tmp_path: Path) -> None:
    setup = """
import structlog
def refuse(logger, method, event):
    raise KeyError("thread")
structlog.configure(processors=[refuse])
"""
    done = run(program(tmp_path, setup), url)
    assert "leak dropped" in done.stderr
    assert "stepped aside" in done.stderr
    assert done.returncode == 0


def test_the_record_carries_the_fields(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    requests.get(url, stream=True)
    guard.check()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name == "httpguard"
    fields = record.httpguard  # type: ignore[attr-defined]  # by extra=
    assert (fields["event"], fields["kind"]) == ("httpguard.leak", "dropped")
    json.dumps(fields)


def test_the_summary_at_exit(url: str, tmp_path: Path) -> None:
    source = """
    import sys
    import httpguard; httpguard.install(check_interval=0)
    import requests
    def fetch():
        requests.get(sys.argv[1], stream=True)  # LEAK
    for _ in range(3):
        fetch()
    kept = requests.get(sys.argv[1], stream=True)
    """
    done = run(write(tmp_path / "app.py", source), url, cwd=tmp_path)
    assert "summary: 3 leaked of 4 opened responses, 1 open" in done.stderr
    assert f"> 3 dropped at app.py:{line_of(source, '# LEAK')} in fetch" in done.stderr


def test_cycles_dropped_before_the_exit_are_in_the_summary(
    url: str, tmp_path: Path
) -> None:
    source = """
    import gc, sys
    gc.disable()
    import httpguard; httpguard.install(check_interval=0)
    import requests
    def fetch():
        cycle = [requests.get(sys.argv[1], stream=True)]
        cycle.append(cycle)
    fetch()
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert "leak dropped" in done.stderr


def test_no_summary_when_nothing_was_found(url: str, tmp_path: Path) -> None:
    source = """
    import sys
    import httpguard; httpguard.install()
    import requests
    kept = requests.get(sys.argv[1], stream=True)
    class Late:
        def __del__(self): self.response = None
    late = Late(); late.response = requests.get(sys.argv[1], stream=True)
    """
    done = run(write(tmp_path / "app.py", source), url)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_percent_sign_in_a_url_is_left_alone(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    requests.get(server.url("/bytes/90000/%20%%s"), stream=True)
    guard.check()
    assert "/bytes/90000/%20" in caplog.text


def test_a_disabled_logger_hides_nothing(url: str, tmp_path: Path) -> None:
    source = """
    import logging.config, sys
    import httpguard; httpguard.install(check_interval=0)
    import requests
    requests.get(sys.argv[1], stream=True); httpguard.check()
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"f": {"format": "%(name)s %(filename)s:%(lineno)d %(message)s"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "root": {"handlers": ["h"]},
    })
    requests.get(sys.argv[1], stream=True); httpguard.check()  # AGAIN
    """
    done = run(write(tmp_path / "app.py", source), url, cwd=tmp_path)
    # The record names the site as its place.
    place = f"app.py:{line_of(source, '# AGAIN')}"
    assert f"httpguard {place} leak dropped {place} in <module>" in done.stderr


def test_structlogs_async_logger(url: str, tmp_path: Path) -> None:
    source = """
    import asyncio, logging, sys
    import structlog
    logging.basicConfig(format="%(message)s")
    structlog.configure(
        wrapper_class=structlog.stdlib.AsyncBoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        processors=[structlog.processors.JSONRenderer()],
    )
    import httpguard; httpguard.install(check_interval=0)
    import requests
    async def main():
        requests.get(sys.argv[1], stream=True)
        httpguard.check()
    asyncio.run(main())
    """
    done = run("-W", "error", write(tmp_path / "app.py", source), url)
    assert '"event": "httpguard.leak"' in done.stderr
    assert "never awaited" not in done.stderr
    assert "stepped aside" not in done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (42, "42 s"), (130, "2 min"), (7300, "2 h")],
)
def test_ages_read_well(seconds: float, text: str) -> None:
    assert _text.seconds(seconds) == text


def test_a_removed_working_directory(url: str, tmp_path: Path) -> None:
    setup = "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)"
    path = program(tmp_path, setup)
    done = run(path, url)
    assert f"leak dropped {path}:{line(setup)} in fetch" in done.stderr


def test_a_level_above_error_is_respected(
    guard: GuardControl, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    with caplog.at_level(logging.CRITICAL, "httpguard"):
        requests.get(url, stream=True)
        guard.check()
    assert caplog.records == []


def test_a_report_under_way_at_exit_is_not_lost(url: str, tmp_path: Path) -> None:
    source = """
    import logging, sys, time
    class Slow(logging.Handler):
        def emit(self, record):
            time.sleep(0.3)
            print(record.getMessage().split(" · ")[0], file=sys.stderr)
    logging.getLogger().addHandler(Slow())
    import httpguard; httpguard.install(check_interval=0.01)
    from httpguard._process import process as _process
    import requests
    requests.get(sys.argv[1], stream=True)
    while not _process.current().table.total:
        time.sleep(0.001)
    """
    done = run(write(tmp_path / "app.py", source), url, cwd=tmp_path)
    assert [text.split()[0] for text in done.stderr.splitlines()[:2]] == [
        "leak",
        "summary:",
    ]


def test_a_sink_gets_events_and_a_broken_one_stops_nothing(
    guard: GuardControl, url: str
) -> None:
    seen: list[str] = []

    def broken(event: Event) -> None:
        raise OSError(event.name)

    def listen(event: Event) -> None:
        seen.append(event.name)

    guard.install()
    PROCESS.destinations.add(broken, "broken")
    PROCESS.destinations.add(listen, "listen")
    try:
        requests.get(f"{url}/bytes/90000", stream=True)
        counters = guard.check().counters
    finally:
        PROCESS.destinations.remove(broken)
        PROCESS.destinations.remove(listen)
    assert seen == ["httpguard.leak"]
    assert (counters["dropped"], counters["errors"]) == (1, 1)


def test_the_place_of_a_record_is_plain_text(
    url: str, guard: GuardControl, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install()
    code = compile("get(url, stream=True)", "a\x1b[2J\udc80\n.py", "exec")
    exec(code, {"get": requests.get, "url": url})
    requests.get(url, stream=True)
    guard.check()
    places = {(record.pathname, record.lineno) for record in caplog.records}
    assert ("a\\x1b[2J\\udc80\\n.py", 1) in places
    assert (__file__, sys._getframe().f_lineno - 4) in places


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", sorted(ADVICE))
def test_advice_is_no_error(
    guard: GuardControl, caplog: pytest.LogCaptureFixture, name: str, *, strict: bool
) -> None:
    """Whatever the level of leaks."""
    caplog.set_level(logging.INFO, "httpguard")
    details: dict[str, object] = {
        "pool": "http://api",
        "lately": 5,
        "seconds": 60.0,
        "connected": 1_000,
        "reuse_rate": 0.5,
        "descriptors": 60,
        "limit": 64,
        "threads": 3,
        "sockets": {},
        "responses": [],
        "sessions": 12 if name == SESSION_CHURN else [],
        "client": "requests",
        "hosts": ["http://api"],
        **dict.fromkeys(("site", "maker"), asdict(Frame("app.py", 3, "fetch"))),
        "hint": "make one",
    }
    for _, send in PROCESS.destinations.members:
        send(Event(name, "info", details=details))
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert name.removeprefix("httpguard.").replace("_", " ") in record.message
    assert "make one" in record.message


def test_counts_are_no_report(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "httpguard")
    for _, send in PROCESS.destinations.members:
        send(Event(COUNTS, "info"))
    assert caplog.records == []


def test_a_report_reads_its_source_once(
    guard: GuardControl, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[tuple[str, int]] = []
    getline = linecache.getline

    def count(filename: str, lineno: int, module_globals: Any = None) -> str:
        reads.append((filename, lineno))
        return getline(filename, lineno, module_globals)

    monkeypatch.setattr(linecache, "getline", count)
    guard.install()
    requests.get(url, stream=True)
    (leak,) = guard.check().leaks
    assert reads == [(frame.filename, frame.lineno) for frame in leak.stack]
