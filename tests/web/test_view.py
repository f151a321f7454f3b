"""What the page shows, and how much of it."""

from __future__ import annotations

import gzip
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakKind
from httpguard._process.process import current
from httpguard._web import history as _history
from httpguard._web import sites as _sites
from httpguard._web import view as _view
from tests import program
from tests.web.asking import ask, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpguard._web import Page
    from tests.conftest import GuardControl
    from tests.server import Server


def ask_again(page: Page) -> dict[str, Any]:
    """The state once it is made anew."""
    before = after = state(page)["time"]
    while after == before:
        shown = state(page)
        after = shown["time"]
    return shown


def floats(shown: Any) -> Iterator[float]:
    """All that are in a JSON document."""
    if isinstance(shown, float):
        yield shown
    elif isinstance(shown, dict | list):
        for part in shown.values() if isinstance(shown, dict) else shown:
            yield from floats(part)


class TestContent:
    def test_shows_what_leaked_and_what_is_open(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        url = server.url("/bytes/90000?token=secret")
        requests.get(f"{url}&key=secret", stream=True)  # leaks
        kept = requests.get(server.url("/bytes/90000"), stream=True)  # kept
        guard.advance(7)
        shown = state(page)
        (leak,) = shown["leaks"]
        assert leak["kind"] == LeakKind.DROPPED
        assert leak["site"]["filename"] == __file__
        assert leak["site"]["source"].endswith("# leaks")
        assert [frame for frame in leak["stack"] if frame["source"].endswith("# leaks")]
        assert "secret" not in json.dumps(shown)
        (row,) = shown["open_sites"]
        assert (row["count"], row["age"], row["idle"]) == (1, 7, 7)
        assert "# kept" in row["site"]["source"]
        assert shown["open_now"] == 1
        assert shown["history"]["leaks"][-1] == 1
        assert shown["program"]["pid"] == os.getpid()
        assert shown["process"]["threads"] > 1
        assert {"leaks", "open", "counters", "pools"} <= set(shown)
        kept.close()

    def test_numbers_are_rounded_to_what_they_are_worth(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(max_idle=1)
        held = requests.get(server.url("/bytes/90000"), stream=True)
        guard.advance(100 / 3)
        guard.check()
        guard.advance(100 / 7)
        found = list(floats(state(page)))
        held.close()
        assert 47.619 in found
        assert [number for number in found if round(number, 4) != number] == []

    def test_a_site_is_shown_in_sums(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(max_idle=60)
        pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=5)

        def opened() -> urllib3.BaseHTTPResponse:
            return pool.request("GET", "/bytes/90000", preload_content=False)

        first, second = opened(), opened()
        guard.advance(50)
        second.read(1000)
        guard.check()
        with httpguard.allow("it is known"):
            third = opened()
        guard.advance(20)
        other = pool.request("GET", "/bytes/90000", preload_content=False)
        guard.check()
        shown = state(page)
        row, last = shown["open_sites"]
        assert (row["count"], row["judged"], row["allowed"]) == (3, 1, 1)
        assert (row["age"], row["idle"], row["bytes_read"]) == (70, 70, 1000)
        assert (last["count"], last["age"], last["judged"]) == (1, 0, 0)
        few = _sites.by_site(current(), 1)
        assert (few.open_now, len(few.rows), few.left_out) == (4, 1, 1)
        with httpguard.no_leaks():
            inside = opened()
            (row,) = _sites.by_site(current(), 1).rows
            assert (row["count"], row["allowed"]) == (4, 1)
            inside.close()
        for response in (first, second, third, other):
            response.close()

    def test_two_calls_of_one_line_are_one_site(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        get, url = requests.get, server.url("/bytes/90000")
        both = get(url, stream=True), get(url, stream=True)
        other = get(url, stream=True)
        assert [row["count"] for row in state(page)["open_sites"]] == [2, 1]
        for response in (*both, other):
            response.close()

    def test_nothing_leaked_nothing_shown(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        with requests.get(server.url("/bytes/90000"), stream=True) as response:
            assert len(response.content) == 90000
        shown = state(page)
        assert shown["installed"]
        assert (shown["leaks"], shown["open"], shown["open_sites"]) == ([], [], [])

    def test_says_that_nothing_is_installed(
        self, guard: GuardControl, page: Page
    ) -> None:
        shown = state(page)
        assert not shown["installed"]
        assert not any(shown["counters"].values())

    def test_pools_that_are_alike_are_one_row_the_starved_first(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(max_wait=None)

        def made(**options: Any) -> urllib3.HTTPConnectionPool:
            return urllib3.HTTPConnectionPool(server.host, server.port, **options)

        def opened(pool: urllib3.HTTPConnectionPool) -> urllib3.BaseHTTPResponse:
            return pool.request("GET", "/bytes/90000", preload_content=False)

        alike = [made(), made(), made()]
        kept = [opened(pool) for pool in (*alike, alike[0], alike[0])]
        losing = made(maxsize=3, block=True)
        with opened(losing):
            pass
        full = made(maxsize=2, block=True)
        opened(full)  # lost
        guard.check()
        last = opened(full)
        waiting = threading.Thread(
            target=full.request, args=("GET", "/bytes/9"), daemon=True
        )
        waiting.start()
        while not any(pool.waiting for pool in httpguard.snapshot().pools):
            assert waiting.is_alive()
        starved, lost, others = state(page)["pools"]
        last.drain_conn()
        waiting.join(30)
        assert (starved["maxsize"], starved["block"], starved["waiting"]) == (
            2,
            True,
            1,
        )
        assert (starved["count"], starved["taken"], starved["size"]) == (1, 2, 2)
        assert (starved["lost"], starved["open"]) == (1, 1)
        assert (lost["maxsize"], lost["taken"], lost["size"]) == (3, 1, 3)
        assert (lost["lost"], lost["waiting"]) == (1, 0)
        assert (others["count"], others["open"], others["lost"]) == (3, 5, 0)
        assert (others["taken"], others["size"]) == (5, 3 * others["maxsize"])
        for response in kept:
            response.close()

    def test_sessions(self, guard: GuardControl, server: Server, page: Page) -> None:
        guard.install(max_sessions=2)
        assert state(page)["sessions"] == 0
        sessions = []
        for _ in range(3):
            sessions.append(requests.Session())
            sessions[-1].get(server.url("/bytes/9"))
        assert ask_again(page)["sessions"] == 3
        for session in sessions:
            session.close()
        assert ask_again(page)["sessions"] == 0

    def test_files_of_the_page(self, page: Page) -> None:
        response, body = ask(page, "/")
        assert response.getheader("Content-Type") == "text/html; charset=utf-8"
        text = body.decode()
        assert "<script>" not in text
        assert "style=" not in text
        for name in ("page.js", "page.css", "icon.svg"):
            assert f"static/{name}" in text
            assert ask(page, f"/static/{name}")[0].status == 200
        assert b"http://" not in ask(page, "/static/page.js")[1]

    def test_health_and_unknown_paths(self, page: Page) -> None:
        assert ask(page, "/healthz")[1] == b"ok\n"
        for path in ("/nothing", "/static/../_page.py", "/static/%2e%2e/_page.py"):
            assert ask(page, path)[0].status == 404

    def test_head_has_no_body(self, page: Page) -> None:
        response, body = ask(page, "/healthz", "HEAD")
        assert (response.status, body) == (200, b"")
        assert response.getheader("Content-Length") == "3"

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_figures_are_those_of_psutil(self, tmp_path: Path) -> None:
        pytest.importorskip("psutil")
        source = """
        import json, psutil
        from httpguard._web import history as _figures
        it = psutil.Process()
        exact = {
            "fds": it.num_fds(), "threads": it.num_threads(),
            "rss": it.memory_info().rss,
        }
        print(json.dumps([exact, _figures.figures()]))
        """
        done = program.run(program.write(tmp_path / "figures.py", source))
        exact, ours = json.loads(done.stdout)
        # psutil counts the one too with which it looks.
        assert ours["fds"] in {exact["fds"], exact["fds"] - 1}
        assert ours["threads"] == exact["threads"]
        assert ours["rss"] == pytest.approx(exact["rss"], rel=0.1)

    def test_history_keeps_an_hour(self, guard: GuardControl) -> None:
        now = [0.0]
        history = _history.History(current, lambda: now[0])
        for _ in range(1000):
            history.sample()
            now[0] += _history.SECONDS
        ages = history.to_dict()["seconds_ago"]
        assert len(ages) == _history.KEPT + 1
        assert (ages[0], ages[-1]) == (3600, 0)

    def test_history_makes_up_for_nothing_after_a_pause(
        self, guard: GuardControl
    ) -> None:
        now = [0.0]
        history = _history.History(current, lambda: now[0])
        history.sample()
        now[0] = 10_000.0
        assert history.sample() == 0
        assert history.sample() <= _history.SECONDS
        assert len(history.to_dict()["open"]) <= 4


class Viewed:
    """A view, whose time and cost are the test's."""

    def __init__(self) -> None:
        self.now = self.used = 0.0
        # Seconds of processor time that a document takes.
        self.cost = 0.0
        self.view = _view.View(current, lambda: self.now, self._use)

    def _use(self) -> float:
        self.used += self.cost
        return self.used

    def document(self) -> _view.Document:
        return self.view.document()


class TestBounds:
    def test_rows_are_capped_and_the_rest_is_counted(
        self, guard: GuardControl, server: Server
    ) -> None:
        guard.install()
        source = "\n".join(
            f"def f{n}(get, url):\n  get(url, stream=True)" for n in range(130)
        )
        names: dict[str, Any] = {}
        exec(compile(source, "made.py", "exec"), names)
        for n in range(130):
            names[f"f{n}"](requests.get, server.url("/bytes/90000"))
        with httpguard.serve() as page:
            shown = state(page)
        assert len(shown["leaks"]) == 100
        assert shown["left_out"]["leaks"] == 30
        # Half of them are the latest, however rare.
        assert "f129" in {leak["site"]["function"] for leak in shown["leaks"]}

    def test_large_answers_lose_rows(
        self,
        guard: GuardControl,
        server: Server,
    ) -> None:
        guard.install()
        kept = [
            urllib3.HTTPConnectionPool(server.host, server.port).request(
                "GET", "/bytes/90000", preload_content=False
            )
            for _ in range(30)
        ]
        plain = _view.View(current, most=100_000).document().plain
        shown = json.loads(plain)
        assert len(plain) <= 100_000
        assert 0 < len(shown["open"]) < 30
        assert len(shown["open"]) + shown["left_out"]["open"] == 30
        for response in kept:
            response.close()

    def test_stacks_in_brief_say_so(self, guard: GuardControl, server: Server) -> None:
        guard.install()

        def deep(left: int, path: str) -> bytes:
            if left:
                return deep(left - 1, path)
            response = requests.get(server.url(path), stream=True)
            return response.content if path == "/lines" else b""

        for _ in range(16):
            deep(20, "/lines")
        deep(20, "/bytes/90000")
        with httpguard.serve() as page:
            (leak,) = state(page)["leaks"]
        assert [frame.get("cut") for frame in leak["stack"]] == [True] + [None] * 5

    def test_long_stacks_lose_their_outer_frames(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install(stack_depth=200)

        def deep(left: int) -> None:
            if left:
                deep(left - 1)
            else:
                requests.get(server.url("/bytes/90000"), stream=True)

        deep(150)
        (leak,) = state(page)["leaks"]
        assert len(leak["stack"]) == 60
        assert leak["frames_left_out"] > 90

    def test_polling_is_answered_from_one_document(
        self, guard: GuardControl, server: Server
    ) -> None:
        guard.install()
        view = Viewed()
        view.cost = 1.0
        first = view.document()
        requests.get(server.url("/bytes/90000"), stream=True)
        assert view.document() is first
        view.now += 10.0
        second = view.document()
        assert second.tag != first.tag
        assert len(json.loads(second.plain)["leaks"]) == 1

    def test_what_is_dear_is_made_seldom_but_leaks_are_soon_seen(
        self, guard: GuardControl, server: Server
    ) -> None:
        guard.install()
        view = Viewed()
        view.cost = 0.04
        first = view.document()
        view.now = 7.9
        assert view.document() is first
        requests.get(server.url("/bytes/90000"), stream=True)
        second = view.document()
        assert second is not first
        view.now += 8.1
        assert view.document() is not second

    def test_another_guard_is_seen_at_once(self, guard: GuardControl) -> None:
        guard.install()
        view = Viewed()
        first = view.document()
        httpguard.uninstall()
        second = view.document()
        assert second is not first
        assert not json.loads(second.plain)["installed"]

    def test_nothing_is_older_than_ten_seconds(self, guard: GuardControl) -> None:
        guard.install()
        view = Viewed()
        view.cost = 100.0
        first = view.document()
        view.now = 9.9
        assert view.document() is first
        view.now = 10.0
        assert view.document() is not first

    def test_what_has_not_changed_is_not_sent_again(
        self, guard: GuardControl, page: Page
    ) -> None:
        for path in ("/", "/static/page.js", "/api/snapshot"):
            # The state may be made anew between two requests, but not each time.
            for _ in range(20):
                tag = ask(page, path)[0].getheader("ETag") or ""
                response, body = ask(page, path, If_None_Match=tag)
                if response.status == 304:
                    break
            assert (response.status, body) == (304, b"")

    def test_packs_for_those_who_can_unpack(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        requests.get(server.url("/bytes/90000"), stream=True)
        response, body = ask(page, "/api/snapshot", Accept_Encoding="gzip")
        assert response.getheader("Content-Encoding") == "gzip"
        assert len(json.loads(gzip.decompress(body))["leaks"]) == 1
        assert ask(page, "/api/snapshot")[0].getheader("Content-Encoding") is None

    def test_no_markup_in_an_answer(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        name = "<script>\x1b\u202e.py"
        code = compile("get(url, stream=True)", name, "exec")
        exec(code, {"get": requests.get, "url": server.url("/bytes/90000")})
        body = ask(page, "/api/snapshot")[1]
        assert b"<" not in body
        (leak,) = json.loads(body)["leaks"]
        assert leak["site"]["filename"] == "<script>\\x1b\\u202e.py"
