"""A signal that the program has blocked, to wait for it, finds no thread of ours."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

# What comes to a thread that has not blocked it ends the process.
_WAITS = """
    import os, signal, sys
    import requests
    import httpguard
    httpguard.install(serve=SERVE)
    response = requests.get(sys.argv[1], stream=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    for number in (signal.SIGUSR1, signal.SIGTERM):
        os.kill(os.getpid(), number)
        print(signal.Signals(signal.sigwait({number})).name)
    response.close()
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs sigwait")
@pytest.mark.parametrize("serve", [None, 0], ids=["watcher", "page"])
def test_a_program_waits_for_a_signal(
    server: Server, tmp_path: Path, serve: int | None
) -> None:
    program = write(tmp_path / "program.py", _WAITS.replace("SERVE", str(serve)))
    done = run(program, server.url("/bytes/90000"))
    assert (done.returncode, done.stdout) == (0, "SIGUSR1\nSIGTERM\n"), done.stderr


# What a handler starts, which reports are written by, has the program's signals.
_STARTS = """
    import logging, signal, subprocess, sys, threading
    import requests
    import httpguard
    told = threading.Event()
    ASKS = "import signal; print(len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    class Mails(logging.Handler):
        def emit(self, record):
            done = subprocess.run([sys.executable, "-c", ASKS], stdout=subprocess.PIPE)
            print(threading.current_thread().name, done.stdout.decode(), end="")
            told.set()
    logging.getLogger("httpguard").addHandler(Mails())
    httpguard.install(check_interval=0.05)
    requests.get(sys.argv[1], stream=True)
    told.wait(30)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs sigwait")
def test_what_a_log_handler_starts_has_the_program_s_signals(
    server: Server, tmp_path: Path
) -> None:
    done = run(write(tmp_path / "program.py", _STARTS), server.url("/bytes/90000"))
    assert done.stdout.splitlines()[:1] == ["httpguard-watcher 0"], done.stderr


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_handler_ends_a_wait_of_the_main_thread(
    server: Server, tmp_path: Path
) -> None:
    program = """
    import signal, socket, sys
    import requests
    import httpguard
    httpguard.install()
    response = requests.get(sys.argv[1], stream=True)
    def give_up(number, frame):
        raise TimeoutError("in time")
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    one, other = socket.socketpair()
    try:
        one.recv(1)
    except TimeoutError as error:
        print(error)
    response.close()
    """
    done = run(write(tmp_path / "program.py", program), server.url("/bytes/90000"))
    assert (done.returncode, done.stdout) == (0, "in time\n"), done.stderr
