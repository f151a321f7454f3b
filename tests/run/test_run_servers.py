"""Servers and tools under `httpguard run`, as their users start and stop them."""

from __future__ import annotations

import os
import socket
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.program import line_of, write
from tests.running import end, events, execute, guarded, leaks, start, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

WSGI = """
import os, requests
def app(environ, start_response):
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
    start_response("200 OK", [])
    return [b"served"]
"""
ASGI = """
import os, requests
async def app(scope, receive, send):
    assert scope["type"] == "http"
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"served"})
"""
FLASK = """
import os, flask, requests
app = flask.Flask(__name__)
@app.get("/")
def served():
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
    return "served"
"""
# What is served, the command, and the exit code after SIGTERM.
SERVERS = [
    (WSGI, "gunicorn -w 2 -b 127.0.0.1:{port} leaky:app", 0),
    (WSGI, "gunicorn -k gevent -b 127.0.0.1:{port} leaky:app", 0),
    (ASGI, "uvicorn --port {port} leaky:app", -15),
    (ASGI, "uvicorn --port {port} --workers 2 leaky:app", 0),
    (FLASK, "flask --app leaky run --port {port}", -15),
    (FLASK, "flask --app leaky run --port {port} --debug", None),
]
ASKED = 5


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return bool(answer.read() == b"served")
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.mark.parametrize(("source", "command", "code"), SERVERS)
def test_a_server(
    source: str, command: str, code: int | None, server: Server, tmp_path: Path
) -> None:
    name, *words = command.split()
    for package in (name, "gevent") if "gevent" in words else (name,):
        pytest.importorskip(package)
    write(tmp_path / "leaky.py", source)
    port, log, errors = free_port(), tmp_path / "log", tmp_path / "errors"
    with errors.open("w") as stderr:
        process = start(
            *["--log", log, "-m", name],
            *[word.format(port=port) for word in words],
            cwd=tmp_path,
            env={
                "UPSTREAM": server.url("/bytes/90000"),
                "HTTPGUARD_CHECK_INTERVAL": "0.05",
                "PYTHONPATH": os.pathsep.join([os.getcwd(), str(tmp_path)]),
            },
            stdout=stderr,
            stderr=stderr,
        )
    try:
        wait_for(lambda: answers(port), process, f"{command} served")
        assert all(answers(port) for _ in range(ASKED - 1))
        wait_for(lambda: events(log), process, "the leak was found")
    finally:
        ended = end(process)
    text = errors.read_text()
    assert code is None or ended == code, text
    found = {leak["site"]["lineno"] for leak in first_leaks(log)}
    assert found == {line_of(source, "# LEAK")}, text
    if code == 0 and name == "gunicorn":
        # Its workers leave in order: the counts are exact.
        assert sum(leaks(log).values()) == ASKED
        assert f"httpguard: {ASKED} responses leaked, opened at 1 place" in text
    assert "dropped │ leaky.py:" in text
    for word in ("stepped aside", "Traceback", "MonkeyPatchWarning"):
        assert word not in text


def first_leaks(log: Path) -> list[dict[str, dict[str, int]]]:
    return [event for event in events(log) if event["event"] == "httpguard.leak"]


CELERY = """
import os, celery, requests
app = celery.Celery("leaky", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "queue"}
@app.task
def fetch():
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
"""


def test_celery(server: Server, tmp_path: Path) -> None:
    """Its prefork pool forks by itself and leaves without a word."""
    pytest.importorskip("celery")
    write(tmp_path / "leaky.py", CELERY)
    (tmp_path / "queue").mkdir()
    log, errors = tmp_path / "log", tmp_path / "errors"
    env = {
        "UPSTREAM": server.url("/bytes/90000"),
        "HTTPGUARD_CHECK_INTERVAL": "0.05",
        "PYTHONPATH": os.pathsep.join([os.getcwd(), str(tmp_path)]),
    }
    sent = "import leaky; leaky.fetch.delay(); leaky.fetch.delay()"
    done = execute([sys.executable, "-c", sent], env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    words = [
        "-m",
        "celery",
        "-A",
        "leaky",
        "worker",
        "-c",
        "1",
        "--without-gossip",
        "--without-mingle",
    ]
    with errors.open("w") as output:
        process = start(
            *["--log", log, *words], cwd=tmp_path, env=env, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: first_leaks(log), process, "the leak was found")
    finally:
        code = end(process)
    text = errors.read_text()
    assert code == 0, text
    assert "Warm shutdown" in text
    assert {leak["site"]["lineno"] for leak in first_leaks(log)} == {
        line_of(CELERY, "# LEAK")
    }
    assert "dropped │ leaky.py:" in text
    assert "stepped aside" not in text


TESTS = """
import os, requests
def test_leaky():
    requests.get(os.environ["UPSTREAM"], stream=True)  # LEAK
def test_innocent():
    requests.get(os.environ["UPSTREAM"])
"""


def test_pytest(server: Server, tmp_path: Path) -> None:
    write(tmp_path / "test_leaky.py", TESTS)
    words = [
        "--fail",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "test_leaky.py",
    ]
    env = {"UPSTREAM": server.url("/bytes/90000")}
    done = guarded(*words, cwd=tmp_path, env=env)
    assert done.returncode == 23
    assert "2 passed" in done.stdout
    place = f"test_leaky.py:{line_of(TESTS, '# LEAK')} in test_leaky"
    assert f"dropped │ {place}" in done.stderr
    assert "httpguard: 1 response leaked" in done.stderr


def test_gevent_patches_before_httpguard_comes(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    program = """
import sys
from gevent import monkey; monkey.patch_all()
import gevent, requests
def fetch():
    requests.get(sys.argv[1], stream=True)
gevent.joinall([gevent.spawn(fetch) for _ in range(3)], raise_error=True)
"""
    write(tmp_path / "app.py", program)
    command = ["-W", "error", "app.py", server.url("/bytes/90000")]
    done = guarded(sys.executable, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "httpguard: 3 responses leaked" in done.stderr
    assert "Warning" not in done.stderr


def test_a_pool_of_processes(server: Server, tmp_path: Path) -> None:
    program = """
import sys
from concurrent.futures import ProcessPoolExecutor
import requests
def fetch(url):
    return requests.get(url, stream=True).status_code  # LEAK
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(fetch, sys.argv[1:] * 6)))
"""
    write(tmp_path / "app.py", program)
    done = guarded("app.py", server.url("/bytes/90000"), cwd=tmp_path)
    assert done.stdout == "[200, 200, 200, 200, 200, 200]\n"
    assert "httpguard: 6 responses leaked, opened at 1 place" in done.stderr


def test_one_run_inside_another(server: Server, tmp_path: Path) -> None:
    """As in a container's entry point, where a test starts `httpguard run` too."""
    program = "import requests, sys; requests.get(sys.argv[1], stream=True)"
    inner = [sys.executable, "-m", "httpguard.cli", "run", "-c", program]
    done = guarded(*inner, server.url("/bytes/90000"), cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("httpguard: 1 response leaked") == 1
