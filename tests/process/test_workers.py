"""Worker processes of every kind: each reports its own leak, once."""

from __future__ import annotations

import multiprocessing
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests.program import ROOT, line_of, run, write
from tests.running import events

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
import os
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
import os
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


TASKS = """
import os, sys
import requests
def drop(url):
    requests.get(url, stream=True)  # LEAK
    return os.getpid()
def close(url):
    requests.get(url, stream=True).close()
def see(url):
    guard = sys.modules.get("httpguard")
    if guard is None:
        return None
    drop(url)
    try:
        guard.check()
    except guard.LeakError as error:
        return str(error).splitlines()[0]
"""
# In these the workers import nothing of ours by themselves.
BELOW = """
import concurrent.futures, multiprocessing, sys
import tasks
if __name__ == "__main__":
    import httpguard
    httpguard.install(check_interval=60, log="events.jsonl")
    url, method, how = sys.argv[1:]
    context = multiprocessing.get_context(method)
    if how == "process":
        workers = [context.Process(target=work, args=(url,))
                   for work in (tasks.drop, tasks.close)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        print(workers[0].pid)
    elif how == "pool":
        with context.Pool(1) as pool:
            print(pool.apply(tasks.drop, (url,)))
            pool.apply(tasks.close, (url,))
            pool.close()
            pool.join()
    else:
        with concurrent.futures.ProcessPoolExecutor(1, context) as executor:
            print(executor.submit(tasks.drop, url).result())
            executor.submit(tasks.close, url).result()
    assert not httpguard.check().leaks
"""
SETTINGS = """
import multiprocessing, sys
import tasks
{above}
if __name__ == "__main__":
    import httpguard
    context = multiprocessing.get_context(sys.argv[2])
    def see():
        with context.Pool(1) as pool:
            print(pool.apply(tasks.see, (sys.argv[1],)))
    before = vars(multiprocessing.Process.__base__)["start"]
    httpguard.install(strict=True, check_interval=60)
    see()
    httpguard.install(strict=True, check_interval=60, max_leaks=1)
    see()
    httpguard.uninstall()
    assert vars(multiprocessing.Process.__base__)["start"] is before
    process = context.Process(target=tasks.close, args=(sys.argv[1],))
    process.start()
    process.join()
    assert not [name for name in vars(process) if "httpguard" in name]
    see()
"""


@pytest.mark.parametrize("how", ["process", "pool", "executor"])
@pytest.mark.parametrize("method", METHODS)
def test_where_install_stands_below_main(
    server: Server, tmp_path: Path, method: str, how: str
) -> None:
    write(tmp_path / "tasks.py", TASKS)
    program = write(tmp_path / "app.py", BELOW)
    done = run(program, server.url("/bytes/90000"), method, how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = events(tmp_path / "events.jsonl")
    assert [event["event"] for event in said] == ["httpguard.leak", "httpguard.summary"]
    assert {str(event["pid"]) for event in said} == {done.stdout.strip()}
    site = said[0]["site"]
    assert (site["function"], site["lineno"]) == ("drop", line_of(TASKS, "# LEAK"))
    assert [leak["count"] for leak in said[1]["leaks"]] == [1]


@pytest.mark.parametrize("method", sorted({*METHODS} - {"fork"}))
def test_settings_reach_workers(server: Server, tmp_path: Path, method: str) -> None:
    write(tmp_path / "tasks.py", TASKS)
    program = write(tmp_path / "app.py", SETTINGS.format(above=""))
    done = run(program, server.url("/bytes/90000"), method, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1 leaked response (max_leaks=0)",
        "None",
        "None",
    ], done.stderr


def test_what_the_parent_says_last_goes(server: Server, tmp_path: Path) -> None:
    write(tmp_path / "tasks.py", TASKS)
    above = "import httpguard; httpguard.install(check_interval=60)"
    program = write(tmp_path / "app.py", SETTINGS.format(above=above))
    done = run(program, server.url("/bytes/90000"), "spawn", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "1 leaked response (max_leaks=0)"


def test_a_worker_that_cannot_import_httpguard_works(
    server: Server, tmp_path: Path
) -> None:
    source = """
    import multiprocessing, sys
    import tasks
    if __name__ == "__main__":
        import httpguard; httpguard.install()
        sys.path[:] = [path for path in sys.path if path != sys.argv[2]]
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            print(pool.apply(tasks.see, (sys.argv[1],)))
    """
    write(tmp_path / "tasks.py", TASKS)
    program = write(tmp_path / "app.py", source)
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    url = server.url("/bytes/90000")
    done = run(program, url, ROOT, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr
