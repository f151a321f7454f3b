"""The page in the program: its requests, its settings, its forks."""

from __future__ import annotations

import logging
import os
import socket
import textwrap
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import urllib3

import httpguard
from httpguard import ConfigError
from httpguard._process.process import PROCESS
from tests import program
from tests.web.asking import TOKEN, ask, port_of

if TYPE_CHECKING:
    from pathlib import Path

    from httpguard._web import Page
    from tests.conftest import GuardControl
    from tests.server import Server


class TestTheProgramDoesNotNotice:
    def test_its_own_requests_to_the_page_get_no_lease(
        self, guard: GuardControl, page: Page
    ) -> None:
        guard.install(max_idle=10)
        host = f"http://localhost:{port_of(page)}/healthz"
        kept: list[Any] = [
            requests.get(page.url, stream=True),
            requests.get(host, stream=True),
            urllib3.PoolManager().request("GET", page.url, preload_content=False),
        ]
        requests.get(page.url, stream=True)
        guard.advance(100)
        snapshot = guard.check()
        assert snapshot.open == ()
        assert snapshot.leaks == ()
        assert snapshot.counters["opened"] == 0
        for response in kept:
            response.close()

    def test_other_ports_of_this_machine_do(
        self, guard: GuardControl, server: Server, page: Page
    ) -> None:
        guard.install()
        requests.get(server.url("/bytes/90000"), stream=True)
        assert len(guard.check().leaks) == 1

    def test_after_close_the_address_is_like_any_other(self) -> None:
        page = httpguard.serve()
        assert ("127.0.0.1", port_of(page)) in PROCESS.addresses
        page.close()
        assert not PROCESS.addresses

    def test_a_failure_inside_is_an_answer_and_a_line_in_the_log(
        self,
        guard: GuardControl,
        page: Page,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("inside")

        guard.install()
        monkeypatch.setattr("httpguard._web.view.by_site", fail)
        assert ask(page, "/api/snapshot")[0].status == 500
        assert ask(page, "/healthz")[0].status == 200
        assert "httpguard failed in web" in caplog.text


class TestSetting:
    def test_install_serves_and_uninstall_closes(
        self, guard: GuardControl, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.INFO, "httpguard"):
            httpguard.install(serve=0, check_interval=0)
        (record,) = caplog.records
        url = record.getMessage().rpartition(" ")[2]
        port = urlsplit(url).port or 0
        httpguard.install(serve=0, check_interval=0)
        with socket.create_connection(("127.0.0.1", port), timeout=30):
            pass
        httpguard.uninstall()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=30)
        assert not PROCESS.addresses

    def test_a_second_install_without_it_closes(self, guard: GuardControl) -> None:
        httpguard.install(serve=0, check_interval=0)
        assert PROCESS.addresses
        httpguard.install(serve=None, check_interval=0)
        assert not PROCESS.addresses

    def test_a_taken_port_moves_the_page(
        self, guard: GuardControl, page: Page, caplog: pytest.LogCaptureFixture
    ) -> None:
        httpguard.install(serve=port_of(page), check_interval=0)
        assert "cannot listen there" in caplog.text
        assert "httpguard's page is at http://127.0.0.1:" in caplog.text

    @pytest.mark.parametrize("text", ["x", "70000", ":80", "a b:1", "1:2:x"])
    def test_bad_values_name_the_variable(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE", text)
        with pytest.raises(ConfigError, match=r"HTTPGUARD_SERVE=.*HOST:PORT"):
            httpguard.install()

    def test_a_bad_token_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE_TOKEN", "hunter2")
        with pytest.raises(ConfigError, match="HTTPGUARD_SERVE_TOKEN") as caught:
            httpguard.install()
        assert "hunter2" not in str(caught.value)
        assert TOKEN not in repr(httpguard.Settings(serve_token=TOKEN))

    def test_no_leaks_serves_nothing(
        self, guard: GuardControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPGUARD_SERVE", "0")
        with httpguard.no_leaks():
            assert not PROCESS.addresses


class TestWorlds:
    SERVING = """
        import http.client, os, sys, threading
        import httpguard
        httpguard.install()
        page = httpguard.serve()
        port = int(page.url.rstrip("/").rpartition(":")[2])

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/healthz")
            body = connection.getresponse().read()
            connection.close()
            return body
        """

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_forked_child_is_guarded_at_its_parents_address(
        self, tmp_path: Path
    ) -> None:
        # The child asks a service of its own, at the port where its parent's page was.
        source = """
        import gc, http.server, os, sys, threading
        import requests
        import httpguard
        httpguard.install(check_interval=0)
        page = httpguard.serve()
        port = int(page.url.rstrip("/").rpartition(":")[2])
        read, write = os.pipe()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, *_):
                pass

        def leak(url):
            requests.get(url, stream=True)  # LEAK

        child = os.fork()
        if not child:
            os.read(read, 1)
            service = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
            threading.Thread(target=service.serve_forever, daemon=True).start()
            with requests.get(page.url, stream=True) as twin:
                assert twin.content == b"hello"
            assert httpguard.check().leaks == (), "the innocent one"
            leak(page.url)
            (found,) = httpguard.check().leaks
            page.close()
            print(found.kind.value, found.count, found.site.lineno, flush=True)
            os._exit(0)
        page.close()
        os.write(write, b"x")
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        done = program.run(program.write(tmp_path / "forks.py", source))
        line = program.line_of(source, "# LEAK")
        assert done.stdout == f"dropped 1 {line}\n", done.stderr

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_fork_while_the_page_is_being_made(self, tmp_path: Path) -> None:
        source = """
        import json, os, threading
        import httpguard
        from httpguard._web import view
        httpguard.install(check_interval=0)
        application = httpguard.wsgi_app()

        def pid():
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/api/snapshot"}
            body = b"".join(application(environ, lambda line, headers: None))
            return json.loads(body)["program"]["pid"]

        inside, forked, figures = threading.Event(), threading.Event(), view.figures

        def slow():
            inside.set()
            forked.wait(60)
            return figures()

        view.figures = slow
        thread = threading.Thread(target=pid)
        thread.start()
        inside.wait(60)
        child = os.fork()
        if not child:
            view.figures = figures
            print(pid() == os.getpid(), flush=True)
            os._exit(0)
        forked.set()
        thread.join()
        os.waitpid(child, 0)
        print(pid() == os.getpid())
        """
        path = program.write(tmp_path / "forks.py", source)
        done = program.run(path)
        assert done.stdout.split() == ["True", "True"], done.stderr

    def test_two_threads_that_fork_at_once_leave_one_to_serve(self) -> None:
        with httpguard.serve() as page:
            PROCESS.parts.pause()
            PROCESS.parts.pause()
            PROCESS.parts.resume()
            PROCESS.parts.resume()
            names = [thread.name for thread in threading.enumerate()]
            assert names.count("httpguard-page") == 1
            assert ask(page, "/healthz")[0].status == 200

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_forked_child_lets_go_of_the_page(self, tmp_path: Path) -> None:
        source = (
            self.SERVING
            + """
        assert ask() == b"ok\\n"
        read, write = os.pipe()
        ready, say_ready = os.pipe()
        child = os.fork()
        if not child:
            # As long as the child lives it must not hold the port.
            names = [thread.name for thread in threading.enumerate()]
            assert page.closed, "the child's copy is open"
            assert not [name for name in names if "page" in name], names
            os.write(say_ready, b"x")
            os.read(read, 1)
            os._exit(0)
        os.close(say_ready)
        assert os.read(ready, 1), "the child failed"
        assert ask() == b"ok\\n", "the parent goes on"
        page.close()
        try:
            ask()
        except ConnectionRefusedError:
            print("refused")
        os.write(write, b"x")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        )
        done = program.run("-W", "error", program.write(tmp_path / "forks.py", source))
        assert done.stderr == ""
        assert done.stdout.split() == ["refused", "0"]

    def test_under_gevent(self, tmp_path: Path) -> None:
        source = "from gevent import monkey; monkey.patch_all()\n" + textwrap.dedent(
            self.SERVING
        )
        source += "import gevent\njobs = [gevent.spawn(ask) for _ in range(5)]\n"
        source += "gevent.joinall(jobs)\nprint([job.value for job in jobs])\n"
        done = program.run(program.write(tmp_path / "greenlets.py", source))
        assert done.stdout.strip() == str([b"ok\n"] * 5), done.stderr

    def test_by_a_variable_and_the_exit_is_clean(self, tmp_path: Path) -> None:
        source = """
        import logging
        logging.basicConfig(level="INFO")
        import httpguard
        httpguard.install()
        """
        done = program.run(
            "-X",
            "dev",
            "-W",
            "error",
            program.write(tmp_path / "serves.py", source),
            env={"HTTPGUARD_SERVE": "0"},
        )
        assert done.returncode == 0
        assert "httpguard's page is at http://127.0.0.1:" in done.stderr
        assert "Traceback" not in done.stderr

    def test_import_is_light(self, tmp_path: Path) -> None:
        source = """
        import sys
        import httpguard
        httpguard.install()
        print([name for name in sys.modules if "httpguard._web" in name])
        """
        done = program.run(program.write(tmp_path / "light.py", source))
        assert done.stdout.strip() == "[]", done.stderr
