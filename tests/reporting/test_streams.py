"""Reports never go into what has taken the number of a closed standard stream."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="sockets have no such numbers there"
)

BEGIN = """
import fcntl, logging, os, socket, sys, threading
import httpguard; httpguard.install(check_interval=0)
import requests
def leak(name):
    code = compile("get(url, stream=True)", name + ".py", "exec")
    exec(code, {"get": requests.get, "url": sys.argv[1]})
    httpguard.check()
leak("before")
"""
TAKEN = """
%s
os.close(number)
%s
assert taken.fileno() == number, taken
leak("after")
"""
ENDS = {
    "a socket": "taken, other = socket.socketpair()",
    "a file": "taken = other = open('data.bin', 'w+b', buffering=0)",
    "a pipe": """
reading, writing = os.pipe()
if reading == number:
    os.dup2(reading, 20); reading = 20; os.close(number); os.dup2(writing, 21)
    writing = fcntl.fcntl(21, fcntl.F_DUPFD_CLOEXEC, 0)
    os.close(21)
taken, other = open(writing, 'wb', 0), open(reading, 'rb', 0)
""",
}
READ = """
try:
    fcntl.fcntl(other, fcntl.F_SETFL, os.O_NONBLOCK)
    if hasattr(other, "recv"):
        found = other.recv(1000)
    else:
        found = other.seek(0) or other.read() if other is taken else other.read()
except BlockingIOError:
    found = None
os.dup2(os.open("found", os.O_WRONLY | os.O_CREAT), number)
print(found or "nothing", file=[sys.stdout, sys.stderr][number - 1])
"""
LOGS = {
    "nothing": (2, ""),
    "basicConfig": (2, "logging.basicConfig()"),
    "a handler of its own": (
        2,
        """
class Own(logging.StreamHandler):
    def emit(self, record):
        self.stream.write(record.getMessage())
        self.flush()
logging.getLogger().addHandler(Own())
""",
    ),
    "structlog": (1, "import structlog; structlog.configure()"),
    "standard output": (1, "logging.basicConfig(stream=sys.stdout)"),
}


@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("logs", list(LOGS))
def test_what_took_the_number_gets_no_report(
    server: Server, tmp_path: Path, logs: str, end: str
) -> None:
    number, configure = LOGS[logs]
    source = f"{BEGIN}\nnumber = {number}\n{TAKEN % (configure, ENDS[end])}\n{READ}"
    done = run(
        write(tmp_path / "app.py", source), server.url("/bytes/90000"), cwd=tmp_path
    )
    assert done.returncode == 0, done
    assert (tmp_path / "found").read_text().startswith("nothing\n")
    assert "before.py" in done.stderr


@pytest.mark.parametrize("how", ["a file", "a pipe", "the shell's"])
def test_a_redirected_stream_is_heard(server: Server, tmp_path: Path, how: str) -> None:
    redirect = {
        "a file": "os.dup2(os.open('app.log', os.O_WRONLY | os.O_CREAT), 2)",
        "a pipe": "os.dup2(os.popen('cat > app.log', 'w').fileno(), 2)",
        # As a daemon that is told to do so: closed, and the next one inherited.
        "the shell's": (
            "os.close(2); n = os.open('app.log', os.O_WRONLY | os.O_CREAT)\n"
            "assert n == 2; os.set_inheritable(2, True)"
        ),
    }[how]
    source = f"{BEGIN}\n{redirect}\nleak('after')\nprint('the end')"
    done = run(
        write(tmp_path / "app.py", source), server.url("/bytes/90000"), cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
    assert "before.py" in done.stderr
    assert "after.py" not in done.stderr
    text = (tmp_path / "app.log").read_text()
    assert "dropped at after.py:1" in text or "after.py:1" in text


def test_other_handlers_get_what_a_closed_stream_does_not(
    server: Server, tmp_path: Path
) -> None:
    source = f"""{BEGIN}
logging.basicConfig(handlers=[logging.StreamHandler(), logging.FileHandler("app.log")])
os.close(2)
leak("after")
sys.stderr.flush()
"""
    done = run(
        write(tmp_path / "app.py", source), server.url("/bytes/90000"), cwd=tmp_path
    )
    assert done.returncode == 0
    assert "after.py:1" in (tmp_path / "app.log").read_text()


def test_a_stream_that_is_closed_in_the_middle_of_reports(
    server: Server, tmp_path: Path
) -> None:
    source = f"""{BEGIN}
import contextlib, time, traceback
sys.excepthook = lambda *error: print(traceback.format_exception(*error))
def opened(name):
    code = compile("kept.append(get(url, stream=True))", name + ".py", "exec")
    kept = []
    exec(code, {{"get": requests.get, "url": sys.argv[1], "kept": kept}})
    return kept.pop()
held = [opened("t" + str(turn)) for turn in range(150)]
sys.setswitchinterval(1e-5)
first = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 1000)
def work():
    while held:
        with contextlib.suppress(IndexError):
            held.pop()
        httpguard.check()
workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers:
    worker.start()
closed, written = 0, b""
while any(worker.is_alive() for worker in workers):
    # A file that is read for a report may have had the number, and may close it.
    with contextlib.suppress(OSError):
        os.close(2)
    time.sleep(0)
    try:
        taken, other = socket.socketpair()
    except OSError:
        os.dup2(first, 2)
        continue
    time.sleep(0.0001)
    # Either number may have been such a file's before, which closes it as it is done.
    with contextlib.suppress(OSError):
        if taken.fileno() == 2:
            closed += 1
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                written += other.recv(200)
            os.dup2(first, 2)
            taken.detach()
        else:
            taken.close()
            os.dup2(first, 2)
    with contextlib.suppress(OSError):
        other.close()
    os.dup2(first, 2)
    time.sleep(0.0001)
print("closed often" if closed > 50 else closed, written.decode())
os.close(2)
"""
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert (done.returncode, done.stdout) == (0, "closed often \n"), done.stderr[-2000:]
    assert "Bad file descriptor" not in done.stderr
    # Each that was written is whole.
    heads = [line for line in done.stderr.splitlines() if "dropped" in line]
    assert len(heads) > 20


@pytest.mark.parametrize(("code", "times"), [("EBADF", 0), ("EMFILE", 1)])
def test_a_number_that_is_closed_as_it_is_copied(
    server: Server, tmp_path: Path, code: str, times: int
) -> None:
    source = f"""{BEGIN}
import errno
def fails(*_):
    raise OSError(errno.{code}, "{code}")
fcntl.fcntl = fails
leak("after")
"""
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("leak dropped after.py:1") == times
