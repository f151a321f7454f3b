"""Worker processes of every kind: each reports its own leak, once."""

from __future__ import annotations

import multiprocessing
import re
from typing import TYPE_CHECKING

import pytest

from tests.program import run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

PROLOGUE = """
import logging, os, sys
logging.basicConfig(format="pid %(process)d %(message)s")
import httpguard; httpguard.install(check_interval=60)
import requests
def drop(url):
    requests.get(url, stream=True)
    return os.getpid()
def drop_in_a_cycle(url):
    knot = [requests.get(url, stream=True)]
    knot.append(knot)
    return os.getpid()
"""
PROCESS = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    workers = [context.Process(target=work, args=(sys.argv[1],))
               for work in (drop, drop_in_a_cycle)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    print(*[worker.pid for worker in workers])
    assert not httpguard.check().leaks
"""
EXECUTOR = """
import concurrent.futures, multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    with concurrent.futures.ProcessPoolExecutor(1, context) as executor:
        first = executor.submit(drop, sys.argv[1]).result()
        again = executor.submit(drop_in_a_cycle, sys.argv[1]).result()
        assert first == again
    print(first)
    assert not httpguard.check().leaks
"""
POOL = """
import multiprocessing
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    with context.Pool(1) as pool:
        print(pool.apply(drop, (sys.argv[1],)))
        pool.close()
        pool.join()
    assert not httpguard.check().leaks
"""
METHODS = multiprocessing.get_all_start_methods()


def reporters(text: str) -> list[str]:
    return re.findall(r"pid (\d+) leak dropped app\.py:\d+ in drop", text)


@pytest.mark.parametrize("method", METHODS)
def test_multiprocessing(server: Server, tmp_path: Path, method: str) -> None:
    program = write(tmp_path / "app.py", PROLOGUE + PROCESS)
    done = run(program, server.url("/bytes/90000"), method, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(reporters(done.stderr)) == sorted(done.stdout.split()), done.stderr
    assert done.stderr.count(" 1 dropped at app.py") == 2, done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_an_executor_of_processes(server: Server, tmp_path: Path, method: str) -> None:
    program = write(tmp_path / "app.py", PROLOGUE + EXECUTOR)
    done = run(program, server.url("/bytes/90000"), method, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # One at each of the two lines.
    assert reporters(done.stderr) == done.stdout.split() * 2, done.stderr


@pytest.mark.parametrize("method", METHODS)
def test_a_pool_of_multiprocessing(server: Server, tmp_path: Path, method: str) -> None:
    program = write(tmp_path / "app.py", PROLOGUE + POOL)
    done = run(program, server.url("/bytes/90000"), method, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert reporters(done.stderr) == done.stdout.split(), done.stderr
