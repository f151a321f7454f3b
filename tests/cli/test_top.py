"""`httpguard top`: the live page in a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from rich.console import Console

import httpguard
from httpguard._cli import top as _top
from httpguard._cli import top_screen as _top_screen
from httpguard._cli import top_source as _top_source
from httpguard._cli.top_keys import Choice
from httpguard._cli.top_source import Source, UnreachableError
from httpguard.cli import main
from tests import program
from tests.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from httpguard._web import Page
    from tests.conftest import GuardControl
    from tests.server import Server

TOKEN = "a-token-of-23-characters"


@pytest.fixture
def page(guard: GuardControl, server: Server) -> Iterator[Page]:
    """The page of a program with a leak and something open."""
    guard.install()
    requests.get(server.url("/bytes/90000"), stream=True)
    kept = requests.get(server.url("/bytes/90000?kept"), stream=True)
    guard.advance(75)
    with httpguard.serve() as served:
        yield served
    kept.close()


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["top", *arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 0


def test_once_by_url(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--once", page.url) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert f"process {os.getpid()} on " in lines[0]
    assert lines[1].startswith("open 1  leaks 1  slots lost 0")
    (leak,) = [line for line in lines if line.startswith("dropped")]
    assert "test_top.py:" in leak
    assert " in page " in leak
    (row,) = [line for line in lines if "1 min 15 s" in line]
    assert "/bytes/90000?" in row
    assert "1 of 10" in out


def test_once_by_process(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--once", str(os.getpid())) == 0
    assert f"process {os.getpid()} on " in capsys.readouterr().out


def test_finds_the_page_of_a_child(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = """
        import httpguard
        page = httpguard.serve()
        print(page.url, flush=True)
        input()
        """
    path = program.write(tmp_path / "child.py", child)
    code = f"import subprocess, sys; subprocess.run([sys.executable, {str(path)!r}])"
    environment = {**os.environ, "PYTHONPATH": str(program.ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert run("--once", str(parent.pid)) == 0
        assert "child.py · process" in capsys.readouterr().out
        assert _top_source.find(str(parent.pid), None).url == url
        parent.stdin.write("\n")


def test_several_pages_are_named(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    with httpguard.serve() as other:
        assert run("--once", str(os.getpid())) == 2
        error = capsys.readouterr().err
        assert page.url in error
        assert other.url in error


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nonsense", "neither a URL"),
        ("ftp://127.0.0.1/", "neither a URL"),
        ("http://127.0.0.1:x/", "neither a URL"),
        ("http://[::1/", "neither a URL"),
        ("http://127.0.0.1:1/", "no answer from http://127.0.0.1:1/"),
        ("999999999999", "there is no process"),
        ("4194303", "there is no process"),
    ],
)
def test_errors_of_use(
    target: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--once", target) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.out == ""


def test_a_process_without_a_page(
    guard: GuardControl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--once", str(os.getpid())) == 2
    assert "serves no page of httpguard" in capsys.readouterr().err


def test_another_server_is_no_page(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--once", server.url("/")) == 2
    assert "is no page of httpguard (it answers with" in capsys.readouterr().err


def test_no_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "Missing argument" in capsys.readouterr().err


def test_the_token(
    guard: GuardControl,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with httpguard.serve(token=TOKEN) as page:
        assert run("--once", page.url) == 2
        assert "wants its token" in capsys.readouterr().err
        assert run("--once", page.url, "--token", TOKEN) == 0
        monkeypatch.setenv("HTTPGUARD_SERVE_TOKEN", TOKEN)
        assert run("--once", page.url) == 0
        assert "not installed" in capsys.readouterr().out


def test_a_mounted_page_has_a_path() -> None:
    source = Source("https://user:secret@shop.example/guard/", None)
    assert source.url == "https://shop.example/guard/"
    assert source._path == "/guard"


def render(state: dict[str, Any], height: int, width: int = 100) -> str:
    console = Console(width=width, height=height or 100)
    with console.capture() as capture:
        console.print(_top_screen.screen(state, height, "note"))
    return capture.get()


@pytest.mark.parametrize("height", [24, 40, 60])
def test_fits_the_terminal(page: Page, height: int) -> None:
    state = Source(page.url, None).fetch()
    state["leaks"] *= 50
    state["open_sites"] *= 50
    state["pools"] *= 50
    text = render(state, height)
    assert len(text.splitlines()) <= height
    assert "more not shown)" in text
    assert text.rstrip().endswith("note")


def test_a_narrow_terminal_keeps_the_numbers(page: Page) -> None:
    state = Source(page.url, None).fetch()
    text = render(state, 0, width=60)
    (leak,) = [line for line in text.splitlines() if line.startswith("dropped")]
    assert "…" in leak
    assert leak.split()[:2] == ["dropped", "1"]


def test_hostile_values_drive_no_terminal(page: Page) -> None:
    state = Source(page.url, None).fetch()
    state["leaks"][0]["site"]["function"] = "f\x1b[2J\n[red]x[/red]"
    state["leaks"][0]["kind"] = "\x1b]0;owned\x07"
    state["program"]["name"] = "\x9b2J"
    text = render(state, 0, width=300)
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "[red]x[/red]" in text


def test_live_until_ctrl_c(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[dict[str, Any]] = []
    notes: list[str] = []
    fetch = Source.fetch
    ended = threading.Event()

    def count(source: Source) -> dict[str, Any]:
        if len(looks) == 2:
            ended.set()
            raise UnreachableError("gone")
        looks.append(fetch(source))
        return looks[-1]

    def sleep(seconds: float) -> None:
        assert seconds == 0.5
        if ended.is_set():
            raise KeyboardInterrupt

    draw = _top_screen.screen

    def note(state: dict[str, Any], height: int, text: str, choice: Choice) -> Any:
        notes.append(text)
        return draw(state, height, text, choice)

    monkeypatch.setattr(Source, "fetch", count)
    monkeypatch.setattr(_top_screen, "screen", note)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(sys, "stdin", None)
    console = Console(force_terminal=True, width=100, height=40)
    with console.capture() as capture:
        _top.follow(console, Source(page.url, None), 0.5)
    assert len(looks) == 2
    assert notes == ["", "", "gone; these figures are old"]
    assert "dropped" in capture.get()


def test_q_ends_it(page: Page) -> None:
    pid, terminal = pty.fork()
    if not pid:
        words = [sys.executable, "-m", "httpguard.cli", "top", page.url]
        os.execve(words[0], words, environment(TERM="xterm", COLUMNS="100", LINES="40"))
    said = b""
    while b"q quit" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"q")
    with contextlib.suppress(OSError):  # What Linux says when the other side is gone.
        while os.read(terminal, 1000):
            pass
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_host_and_port_will_do(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--once", page.url.removeprefix("http://").rstrip("/")) == 0
    assert "leaks 1" in capsys.readouterr().out


def test_the_selected_leak_and_its_fix(page: Page) -> None:
    state = Source(page.url, None).fetch()
    (leak,) = state["leaks"]
    other = {**leak, "count": 7, "hint": "do it otherwise", "last_seen": "2001"}
    other["site"] = {**leak["site"], "filename": "/aaa.py"}
    state["leaks"] = [leak, other]

    def fix(*pressed: str) -> str:
        choice = Choice()
        for key in pressed:
            choice = choice.after(key)
        with (console := Console(width=300)).capture() as capture:
            console.print(_top_screen.screen(state, 40, "", choice))
        (line,) = [s for s in capture.get().splitlines() if s.startswith("fix: ")]
        return line.strip()

    assert fix().startswith("fix: open it with")
    assert fix("j") == fix("\x1b[B") == fix("j", "j") == "fix: do it otherwise"
    assert fix("j", "k", "k") == fix("t") == fix()
    assert fix("c") == fix("s") == "fix: do it otherwise"


def test_pools_of_one_name_are_one_row(page: Page) -> None:
    state = Source(page.url, None).fetch()
    (busy,) = [pool for pool in state["pools"] if pool["open"]]
    assert "1 of 10" in render(state, 0)
    busy |= {"count": 3, "size": 30, "taken": 3}
    assert "3 of 30" in render(state, 0)
    assert "(3 pools)" in render(state, 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 1 s"), (7290, "2 h 1 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert _top_screen.duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (999, "999 bytes"), (90_000, "90.0 kB"), (2e15, "2.0 PB")],
)
def test_sizes(number: float | None, text: str) -> None:
    assert _top_screen.size(number) == text
