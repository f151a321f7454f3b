"""Reports on a terminal: colours, and lines that do not staircase."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import tty
from typing import TYPE_CHECKING

import pytest

from tests.program import write
from tests.running import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

LEAKY = """
import sys, requests, httpguard
httpguard.install()
{}
requests.get(sys.argv[1], stream=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return write(tmp_path / "app.py", LEAKY.format(""))


def on_a_terminal(
    program: Path,
    server: Server,
    *,
    raw: bool = False,
    name: str = "",
    value: str = "",
    width: int = 0,
) -> str:
    """What the program writes to a terminal that is its standard error."""
    ours, theirs = pty.openpty()
    if width:
        size = struct.pack("HHHH", 40, width, 0, 0)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    if raw:
        tty.setraw(theirs)
    env = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", name or "_": value}
    process = subprocess.Popen(
        [sys.executable, str(program), server.url("/bytes/90000")],
        env=environment(**env),
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            chunk = os.read(ours, 1000)
        except OSError:  # What Linux says when the other side is gone.
            break
        if not chunk:
            break
        said += chunk
    os.close(ours)
    assert process.wait(60) == 0
    return said.decode()


def test_colours(program: Path, server: Server) -> None:
    said = on_a_terminal(program, server)
    assert said.startswith("\x1b[1;31mleak dropped\x1b[0m ")
    assert "\x1b[32m  fix: \x1b[0mopen it with" in said


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours(variable: tuple[str, str], program: Path, server: Server) -> None:
    name, value = variable
    said = on_a_terminal(program, server, name=name, value=value)
    assert said.startswith("leak dropped ")
    assert "\x1b" not in said


def test_a_raw_terminal(program: Path, server: Server) -> None:
    said = on_a_terminal(program, server, raw=True, name="NO_COLOR", value="1")
    assert said.startswith("leak dropped ")
    assert said.count("\n") == said.count("\r\n") > 5


def redirected(program: Path, server: Server, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, str(program), server.url("/bytes/90000")],
        env=environment(**{"NO_COLOR": "", "FORCE_COLOR": "", **env}),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_no_terminal(program: Path, server: Server) -> None:
    said = redirected(program, server)
    assert said.startswith("leak dropped ")
    assert "\x1b" not in said
    assert "\x1b[1;31mleak" in redirected(program, server, FORCE_COLOR="1")


def test_the_program_s_own_log_is_left_alone(tmp_path: Path, server: Server) -> None:
    setup = "import logging; logging.basicConfig()"
    program = write(tmp_path / "app.py", LEAKY.format(setup))
    said = on_a_terminal(program, server)
    assert said.startswith("WARNING:httpguard:leak dropped ")
    assert "\x1b" not in said


def test_lines_are_broken_between_words(program: Path, server: Server) -> None:
    plain = on_a_terminal(program, server, name="NO_COLOR", value="1")
    narrow = on_a_terminal(program, server, name="NO_COLOR", value="1", width=60)
    assert max(map(len, plain.splitlines())) > 120
    ports_and_ages = re.compile(r":\d{4,}|\d+\.\d s")
    words = [ports_and_ages.sub("", said).split() for said in (plain, narrow)]
    assert words[0] == words[1]
    for line in narrow.splitlines():
        assert len(line) <= 60 or len(line.split()) <= 2, line
