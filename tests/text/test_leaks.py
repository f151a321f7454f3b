"""The text of a leak: a short first line, and the stack that a person reads."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
import requests

import httpguard
from httpguard import Frame, Leak, LeakKind
from httpguard._report.lines import find_leak
from httpguard._text.leaks import describe
from tests.program import ROOT, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import GuardControl
    from tests.server import Server

SITE = Frame("/srv/shop/views.py", 12, "fetch", application=True)
LIB = "/usr/lib/python3.11"
PACKAGES = f"{LIB}/site-packages"


NOW = datetime.now(timezone.utc)
LEAK = Leak(
    kind=LeakKind.DROPPED,
    site=SITE,
    stack=(SITE,),
    count=1,
    resolved=0,
    method="GET",
    url="http://shop.local/",
    status=200,
    client="requests",
    pool="http://shop.local",
    thread="MainThread",
    first_seen=NOW,
    last_seen=NOW,
    age=0.0,
    idle=0.0,
    bytes_read=0,
    length=None,
    hint="close it",
)


def format_stack(stack: tuple[Frame, ...], site: Frame) -> str:
    """Of a report without what stands above and below."""
    _, _, _, *lines, _ = describe(replace(LEAK, stack=stack, site=site)).splitlines()
    return "\n".join(lines)


def test_runs_of_other_frames_are_one_line_each() -> None:
    stack = (
        Frame("<frozen runpy>", 198, "_run_module_as_main"),
        Frame(f"{LIB}/threading.py", 1002, "_bootstrap"),
        Frame(f"{LIB}/threading.py", 982, "run"),
        Frame(f"{LIB}/socketserver.py", 691, "process_request_thread"),
        Frame(f"{PACKAGES}/werkzeug/serving.py", 370, "run_wsgi"),
        Frame(f"{PACKAGES}/flask/app.py", 1511, "wsgi_app"),
        Frame("/srv/shop/app.py", 31, "main", application=True),
        Frame(f"{PACKAGES}/six.py", 9, "call"),
        SITE,
        Frame(f"{PACKAGES}/requests/api.py", 73, "get"),
        Frame(f"{PACKAGES}/requests/sessions.py", 589, "request"),
        Frame("C:\\Python311\\Lib\\http\\client.py", 1, "request"),
    )
    assert format_stack(stack, SITE).splitlines() == [
        "    … 6 frames: runpy, threading, socketserver, werkzeug, flask",
        "  > /srv/shop/app.py:31 in main",
        "    … 1 frame: six",
        "  > /srv/shop/views.py:12 in fetch",
        f"    {PACKAGES}/requests/api.py:73 in get",
        "    … 2 frames: requests, http",
    ]


def test_a_site_in_a_library_is_shown() -> None:
    site = Frame(f"{PACKAGES}/sdk/client.py", 7, "call")
    stack = (
        Frame(f"{LIB}/threading.py", 982, "run"),
        site,
        Frame(f"{PACKAGES}/requests/api.py", 73, "get"),
    )
    assert format_stack(stack, site).splitlines() == [
        "    … 1 frame: threading",
        f"    {PACKAGES}/sdk/client.py:7 in call",
        f"    {PACKAGES}/requests/api.py:73 in get",
    ]


def test_where_work_was_submitted_is_shown() -> None:
    submitter = Frame(f"{PACKAGES}/jobs/run.py", 3, "submit", submitted=True)
    text = format_stack((submitter, SITE), SITE)
    assert text.startswith(f"    submitted at {PACKAGES}/jobs/run.py:3 in submit\n")


def test_the_first_line_is_short(guard: GuardControl, server: Server) -> None:
    """Its parts are kind, site, count and request; then who, the fix, the stack."""
    guard.install()

    def ask() -> None:
        requests.get(server.url("/bytes/90000?token=secret"), stream=True)

    for _ in range(2):
        thread = threading.Thread(target=ask, name="worker-3")
        thread.start()
        thread.join()
    (leak,) = guard.check().leaks
    first, who, fix, *stack = describe(leak).splitlines()
    place = f"leak dropped tests/text/test_leaks.py:{leak.site.lineno} in ask"
    url = server.url("/bytes/90000?token=…")
    assert first == f"{place} · 2 times · GET {url} · 200"
    assert len(first) <= 120
    assert who == "  opened by thread worker-3 0.0 s ago · 0 of 90000 bytes read"
    assert fix.startswith("  fix: open it with `with requests.get(")
    assert stack[0] == "    … 3 frames: threading"
    assert stack[1].startswith("  > tests/text/test_leaks.py:")
    # Whoever reads a machine's form has all of it.
    assert len(leak.to_dict()["stack"]) > 5


def test_secrets_in_the_source_stay_there(
    guard: GuardControl, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    guard.install(strict=True)
    base = server.url("/bytes/90000")
    kept = {"?token=hunter2": requests.get(f"{base}?a=hunter2", stream=True)}  # held
    requests.get(base + "?q=1&token=hunter2#hunter2", stream=True)  # dropped
    guard.advance(100)
    with pytest.raises(httpguard.LeakError) as raised:
        guard.check()
    leaks = httpguard.snapshot().leaks
    assert sorted(leak.kind.value for leak in leaks) == ["dropped", "held"]
    texts = [caplog.text, str(raised.value), *map(str, leaks)]
    assert not [text for text in texts if "hunter2" in text]
    for line in (
        '{"?token=…": requests.get(f"{base}?a=…", stream=True)}  # held',
        'requests.get(base + "?q=…&token=…#…", stream=True)  # dropped',
    ):
        assert all(line in text for text in texts[:2])
    kept.clear()


def test_secrets_in_names_stay_there(guard: GuardControl, server: Server) -> None:
    guard.install(explain=10)  # The process of many tests has a big heap.
    url = server.url("/bytes/90000")
    kept = type("Kept", (), {})()

    def download() -> None:
        setattr(kept, f"{url}?token=hunter2", requests.get(url, stream=True))

    thread = threading.Thread(target=download, name=f"get {url}?token=hunter2")
    thread.start()
    thread.join()
    guard.advance(100)
    (leak,) = guard.check().leaks
    (response,) = httpguard.snapshot().open
    assert leak.thread == response.thread == f"get {url}?token=…"
    assert leak.held_by is not None
    assert f"Kept.{url}?token=…" in leak.held_by


@pytest.mark.parametrize("installed", [True, False])
def test_what_is_installed_beside_the_program_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    """As ``pip install --target`` lays it."""
    write(tmp_path / "flask" / "app.py", "")
    if installed:
        write(tmp_path / "flask-3.dist-info" / "METADATA", "Name: flask\nVersion: 3\n")
        write(tmp_path / "flask-3.dist-info" / "RECORD", "flask/app.py,,\n")
    monkeypatch.syspath_prepend(tmp_path)
    below = Frame(str(tmp_path / "flask" / "app.py"), 1511, "wsgi_app")
    folded, *_ = format_stack((below, SITE), SITE).splitlines()
    assert folded == f"    … 1 frame: {'flask' if installed else 'app'}"


def test_a_long_request_stands_below(guard: GuardControl, server: Server) -> None:
    guard.install()
    url = server.url("/bytes/90000?" + "&".join(f"key{n}=1" for n in range(30)))

    def export_the_orders_of_yesterday_that_were_not_paid() -> None:
        requests.get(url, stream=True)

    export_the_orders_of_yesterday_that_were_not_paid()
    (leak,) = guard.check().leaks
    assert len(leak.url) > 200
    first, _, whole, fix, *_ = describe(leak).splitlines()
    place = f"leak dropped {leak.site}".replace(f"{ROOT}/", "")
    assert first.startswith(f"{place} · GET http://{server.host}:{server.port}/")
    assert first.endswith(f"{leak.url[-10:]} · 200")
    # The place is long: what is left for the request is 60 columns.
    assert len(first) == len(f"{place} ·  · 200") + 60
    assert whole == f"  request: GET {leak.url}"
    assert fix.startswith("  fix: ")


def test_a_long_request_fits_beside_a_short_place() -> None:
    url = "http://shop.local/" + "a/" * 100
    leak = replace(LEAK, url=url)
    first, _, whole, *_ = describe(leak).splitlines()
    assert (len(first), whole) == (120, f"  request: GET {url}")
    assert "…" in first
    # `httpguard report` reads it where it was logged as text.
    found = find_leak(first)
    assert found is not None
    place = found["site"]["filename"], found["site"]["lineno"]
    assert place == (SITE.filename, SITE.lineno)


def test_in_a_notebook(guard: GuardControl, server: Server) -> None:
    guard.install()
    assert guard.check()._repr_html_() == "<pre>no leaks, 0 open</pre>"
    requests.get(server.url("/bytes/90000?a=<b>"), stream=True)
    snapshot = guard.check()
    (leak,) = snapshot.leaks
    shown = leak._repr_html_()
    assert shown.startswith("<pre>leak dropped tests/text/test_leaks.py:")
    assert "in test_in_a_notebook · GET http://" in shown
    assert "<b>" not in shown
    assert snapshot._repr_html_() == shown
