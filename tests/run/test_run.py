"""`httpguard run`: the program is what it is without it, and its leaks are found."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import venv
import zipapp
from typing import TYPE_CHECKING

import pytest

from httpguard import cli
from httpguard._clients import PACKAGES
from httpguard._model.extras import checkout
from httpguard._run.outcome import read_outcome
from tests.program import ROOT, SESSIONS, bare, line_of, write
from tests.running import (
    CLI,
    end,
    environment,
    events,
    execute,
    guarded,
    leaks,
    start,
    wait_for,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

SHOW = """
import sys
print(sys.argv, sys.orig_argv, sys.path, sys.executable, sys.flags, __name__)
print(globals().get("__file__"), __spec__ and __spec__.origin, __package__)
ours = {"sitecustomize"}
print(sorted(set(sys.modules) - ours), file=sys.stderr)
print([type(finder).__name__ for finder in sys.path_hooks], sys.stdin.read())
"""
LEAKY = """
import sys
import requests
def fetch(url):
    return requests.get(url, stream=True).status_code  # LEAK
for _ in range(3):
    fetch(sys.argv[1])
"""


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


# What it runs, and how.


def same(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run with and without: everything that can be seen is the same."""
    alone = execute([sys.executable, *map(str, words)], **options)  # type: ignore[arg-type]
    run = guarded("--quiet", *words, **options)  # type: ignore[arg-type]
    assert (run.returncode, run.stdout, run.stderr) == (
        alone.returncode,
        alone.stdout,
        alone.stderr,
    )
    return run


def test_a_script(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "app.py", SHOW)
    done = same("sub/app.py", "--fail", "-x", "--", "", cwd=tmp_path, input="in ü\n")
    assert "['sub/app.py', '--fail', '-x', '--', '']" in done.stdout
    assert "in ü" in done.stdout


def test_a_module(tmp_path: Path) -> None:
    write(tmp_path / "package" / "__main__.py", SHOW)
    done = same("-m", "package", "--log", "x", cwd=tmp_path, input="")
    assert "'--log', 'x']" in done.stdout


def test_code() -> None:
    same("-c", SHOW, "-m", "b", input="")


def test_code_and_module_in_one_word(tmp_path: Path) -> None:
    write(tmp_path / "mod.py", SHOW)
    same("-mmod", "-h", cwd=tmp_path, input="")
    same("-cprint(1)", "-h", cwd=tmp_path, input="")


def test_standard_input_as_the_script() -> None:
    same("-", "a", input="import sys; print(sys.argv, sys.path[0], __name__)")


def test_a_directory_and_a_zipped_one(tmp_path: Path) -> None:
    write(tmp_path / "dir" / "__main__.py", SHOW)
    zipapp.create_archive(tmp_path / "dir", tmp_path / "app.pyz")
    same("dir", "a", cwd=tmp_path, input="")
    same("app.pyz", "a", cwd=tmp_path, input="")


@pytest.mark.parametrize(
    "options",
    [
        ["-O", "-X", "dev", "-W", "error::UserWarning", "-u"],
        ["-OOBb", "-Wdefault::UserWarning", "-Xutf8=1"],
        ["--check-hash-based-pycs", "never"],
    ],
)
@pytest.mark.parametrize("module", [["-m", "httpguard"], ["-mhttpguard"]])
def test_the_options_of_the_interpreter(
    options: list[str], module: list[str], tmp_path: Path
) -> None:
    source = """
    import _imp, sys
    print(sys.flags, sys.warnoptions, sys._xoptions, sys.stdout.write_through)
    print(_imp.check_hash_based_pycs, __debug__)
    """
    program = str(write(tmp_path / "app.py", source))
    python = [sys.executable, *options]
    straight = execute([*python, program])
    run = execute([*python, *module, "run", "--quiet", program])
    assert straight.stdout
    assert (run.stdout, run.returncode) == (straight.stdout, 0)


def test_after_two_dashes(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "import sys; print(sys.argv)")
    done = guarded("--fail", "--", "app.py", "--", "-m", cwd=tmp_path)
    assert done.stdout == "['app.py', '--', '-m']\n"


def test_a_file_without_a_suffix(tmp_path: Path) -> None:
    write(tmp_path / "tool", "import sys; print(sys.argv)")
    assert guarded("./tool", "a", cwd=tmp_path).stdout == "['./tool', 'a']\n"


def test_a_command_with_a_first_line(tmp_path: Path) -> None:
    write(tmp_path / "tool", f"#!{sys.executable}\n{SHOW}").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    alone = execute([str(tmp_path / "tool"), "--fail"], input="")
    run = guarded("--quiet", "tool", "--fail", env={"PATH": path}, input="")
    assert (run.stdout, run.stderr) == (alone.stdout, alone.stderr)


TRACEBACK = """
def inner():
    {}

def outer():
    try:
        inner()
    except ValueError as error:
        raise KeyError("ü") from error
outer()
"""


@pytest.mark.parametrize(
    "statement",
    [
        "raise ValueError('x' * 10)",
        "1 / 0",
        "raise SystemExit(7)",
        "raise SystemExit('a message')",
        "raise KeyboardInterrupt",
        "import os; os._exit(5)",
        "import a_module_that_is_not_there",
        "syntax error",
    ],
)
def test_tracebacks_and_exit_codes(statement: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", TRACEBACK.format(statement))
    done = same("app.py", cwd=tmp_path)
    assert done.returncode != 0


def test_an_error_in_guarded_code(url: str, tmp_path: Path) -> None:
    program = """
import sys, requests
try:
    requests.get("http://127.0.0.1:1/")
except OSError as error:
    print(type(error).__mro__)
with requests.get(sys.argv[1], stream=True) as response:
    response.raise_for_status()
    {}["missing"]
"""
    write(tmp_path / "app.py", program)
    assert "KeyError: 'missing'" in same("app.py", url, cwd=tmp_path).stderr


@bare
def test_modules_of_the_program_that_shadow_the_standard_library(
    tmp_path: Path,
) -> None:
    names = ("logging", "json", "random", "typing", "dataclasses", "inspect")
    for name in names:
        write(tmp_path / "sub" / f"{name}.py", f"print('own {name}')")
    write(tmp_path / "sub" / "app.py", f"import {', '.join(names)}")
    assert same("sub/app.py", cwd=tmp_path).stdout.count("own ") == 6


def test_a_user_s_own_sitecustomize(tmp_path: Path) -> None:
    write(
        tmp_path / "site" / "sitecustomize.py",
        """
import builtins, sys
builtins.mark = (__file__, __name__, [p for p in sys.path if "bootstrap" in p])
""",
    )
    write(tmp_path / "app.py", "import sitecustomize; print(mark, sitecustomize)")
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    done = same("app.py", cwd=tmp_path, env={"PYTHONPATH": path})
    assert str(tmp_path / "site" / "sitecustomize.py") in done.stdout


@pytest.mark.parametrize("statement", ["1 / 0", "import not_there", "syntax error"])
def test_a_user_s_own_sitecustomize_that_fails(statement: str, tmp_path: Path) -> None:
    write(tmp_path / "site" / "sitecustomize.py", statement)
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    alone = execute([sys.executable, "-c", "print(1)"], {"PYTHONPATH": path})
    done = guarded("--quiet", "-c", "print(1)", env={"PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "Error in sitecustomize" in alone.stderr
    # The command's own interpreter says it first.
    assert done.stderr == 2 * alone.stderr
    # And the guard is on all the same.
    shown = "import sys; print(type(sys.meta_path[0]).__name__)"
    assert guarded("-c", shown, env={"PYTHONPATH": path}).stdout == "_Guard\n"


@pytest.mark.parametrize("path", ["", "{}::", ":{}:/not/there"])
def test_the_python_path(path: str, tmp_path: Path) -> None:
    """An empty entry is the working directory: none is added, none is lost."""
    shown = "import sys, os; print(sys.path, os.environ.get('PYTHONPATH'))"
    variable = path.format(ROOT)
    env = {"PYTHONPATH": variable}
    alone = execute([sys.executable, "-c", shown], env, cwd=tmp_path)
    main = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    main += f"from httpguard.cli import main; main(['run', '-c', {shown!r}])"
    run = execute([sys.executable, "-c", main], env, cwd=tmp_path)
    bootstrap = str(ROOT / "httpguard" / "_run" / "bootstrap")
    expected = bootstrap + (os.pathsep + variable if variable else "")
    assert run.stdout == alone.stdout.replace(f"] {variable}\n", f"] {expected}\n")


def test_a_program_that_asks_for_nothing_loads_nothing() -> None:
    program = (
        "import sys; print([n for n in sys.modules if 'guard' in n or n=='wrapt'])"
    )
    assert guarded("-c", program).stdout == "[]\n"


# Signals and the rest of what a process has.


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT", "SIGUSR1"])
def test_ended_by_a_signal(name: str) -> None:
    program = f"import os, signal; os.kill(os.getpid(), signal.{name})"
    assert guarded("-c", program).returncode == -getattr(signal, name)


def test_as_a_shell_shows_it() -> None:
    words = " ".join([*CLI, "-c", "'import os; os.kill(os.getpid(), 15)'"])
    done = execute(["bash", "-c", f"{words}; echo $?"])
    assert done.stdout == "143\n"


COUNT = """
import os, signal, sys, time
def note(number, frame):
    # The next one may come in the middle of this, when a stream is not to be entered.
    os.write(1, b"%s\\n" % signal.Signals(number).name.encode())
    if number == signal.SIGTERM:
        sys.exit(3)
for name in ("INT", "TERM", "HUP", "USR1", "QUIT", "WINCH"):
    signal.signal(getattr(signal, "SIG" + name), note)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def test_signals_are_passed_on(tmp_path: Path) -> None:
    process = start("-c", COUNT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT", "SIGWINCH", "SIGINT"):
        process.send_signal(getattr(signal, name))
        assert process.stdout.readline() == f"{name}\n"
    assert end(process, signal.SIGTERM) == 3
    # Each arrived once.
    assert process.stdout.read() == "SIGTERM\n"
    process.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="tells senders apart on Linux")
def test_a_terminal_s_keys_reach_the_program_once() -> None:
    """Ctrl-C goes to the whole group: passing it on would make it two."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(CLI[0], [*CLI, "-c", COUNT], environment())
    said = b""
    with os.fdopen(terminal, "r+b", buffering=0) as keys:
        for text, wanted in ((b"", b"ready"), (b"\x03", b"INT"), (b"\x1c", b"QUIT")):
            keys.write(text)
            while wanted not in said:
                said += keys.read(1000)
        os.kill(pid, signal.SIGTERM)
        try:
            while chunk := keys.read(1000):
                said += chunk
        except OSError:  # What Linux says when the other side is gone.
            pass
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert re.findall(rb"SIG(?:INT|QUIT|TERM)", said) == [
        b"SIGINT",
        b"SIGQUIT",
        b"SIGTERM",
    ]


HANG_UP = """
import os, signal, sys, time
def note(number, frame):
    with open("said", "w") as file:
        file.write(signal.Signals(number).name)
    os._exit(3)
signal.signal(signal.SIGHUP, note)
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tells senders apart on Linux")
def test_a_terminal_that_hangs_up_reaches_the_program(tmp_path: Path) -> None:
    """The kernel tells the leader of the session alone, which is not the program."""
    write(tmp_path / "app.py", HANG_UP)
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(tmp_path)
        os.execve(CLI[0], [*CLI, "app.py"], environment())
    said = b""
    while b"ready" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert (tmp_path / "said").read_text() == "SIGHUP"


def test_where_ended_children_are_ignored() -> None:
    words = " ".join([*CLI, "-c", "'import sys; print(1); sys.exit(3)'"])
    done = execute(["bash", "-c", f"trap '' CHLD; exec {words}"])
    assert (done.returncode, done.stdout) == (3, "1\n")


def test_interrupted(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "import time\nprint(1, flush=True)\ntime.sleep(60)\n")
    process = start(
        *("--quiet", "app.py"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=150)
    assert process.returncode == -signal.SIGINT
    assert stderr.startswith("Traceback (most recent call last):\n")
    assert stderr.endswith("KeyboardInterrupt\n")
    assert "httpguard" not in stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_signal_masks_and_descriptors_are_those_of_any_program(tmp_path: Path) -> None:
    script = "cat /proc/self/status | grep ^Sig[BI]; ls /proc/self/fd | wc -w"
    shown = []
    for done in (execute(["bash", "-c", script]), guarded("bash", "-c", script)):
        *masks, files = done.stdout.splitlines()
        # glibc's posix_spawn ignores its own two signals in a child: 32 and 33.
        numbers = [int(mask.split()[1], 16) & ~(3 << 31) for mask in masks]
        shown.append((numbers, files))
    assert shown[0] == shown[1]
    with (tmp_path / "file").open("w+") as file:
        passed = file.fileno()
        done = guarded(
            "-c", f"import os; os.write({passed}, b'here')", pass_fds=[passed]
        )
        assert done.returncode == 0
        file.seek(0)
        assert file.read() == "here"


def test_a_pipe_that_is_closed() -> None:
    words = " ".join(CLI)
    done = execute(["bash", "-c", f"set -o pipefail; {words} yes | head -1; echo $?"])
    assert done.stdout == "y\n141\n"


def test_becoming_the_program(url: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = "import os\nprint(os.getpid())\n" + LEAKY
    write(tmp_path / "app.py", program)
    process = start(
        "--exec", "--log", log, "app.py", url, cwd=tmp_path, stdout=subprocess.PIPE
    )
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0
    assert output == f"{process.pid}\n"
    assert leaks(log) == {process.pid: 3}


# What it finds.


def test_the_table(url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", LEAKY)
    done = guarded("app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    table = done.stderr[done.stderr.index("httpguard: ") :]
    assert table.startswith(
        "httpguard: 3 responses leaked, opened at 1 place, in 1 process\n"
    )
    place = f"app.py:{line_of(LEAKY, '# LEAK')} in fetch"
    assert re.search(rf"│ +3 │ dropped │ {place} +│ +200 │", table)
    assert "│   return requests.get(url, stream=True).status_code  # LEAK" in table
    assert f"│   GET {url} " in table
    assert "fix dropped (requests): open it with `with requests.get(" in table
    assert str(program.parent) not in table


CLEAN = """
import sys
import requests
for _ in range(13):
    requests.get(sys.argv[1], stream=True).close()
requests.get(sys.argv[1])
"""
NO_CLIENT = (
    "httpguard: nothing was watched: no HTTP client was imported that it guards"
    " (urllib3, requests, httpx, httpx2, aiohttp, http.client)\n"
)


def test_nothing_leaked_and_one_line_says_so(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", CLEAN)
    done = guarded("--fail", "app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "httpguard: 14 responses, none leaked\n"
    done = guarded("--fail", "--quiet", "app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("client", ["httpx", "aiohttp"])
def test_other_clients_are_guarded_too(client: str) -> None:
    done = guarded("-c", f"import {client}")
    assert (done.returncode, done.stderr) == (
        0,
        "httpguard: 0 responses, none leaked\n",
    )


def test_the_standard_library_is_guarded_too(url: str) -> None:
    program = f"from urllib.request import urlopen; kept = urlopen({url!r})"
    done = guarded("-c", program)
    assert done.stderr.startswith("httpguard: 1 response leaked, opened at 1 place")


def test_every_client_begins_with_one_that_the_bootstrap_waits_for() -> None:
    bootstrap = ROOT / "httpguard" / "_run" / "bootstrap" / "sitecustomize.py"
    (names,) = re.findall(r"_CLIENTS = (\(.+\))", bootstrap.read_text("utf-8"))
    for package in PACKAGES:
        if package.name != "requests":  # It imports urllib3.
            first = package.imports[0]
            assert f'"{first}"' in names or f'"{first.split(".")[0]}"' in names


def test_nothing_is_guarded_where_the_settings_say_so(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", CLEAN)
    off = {"HTTPGUARD_ENABLED": "0"}
    done = guarded("app.py", url, cwd=tmp_path, env=off)
    told = "nothing was watched: the setting enabled is off"
    assert (done.returncode, done.stderr) == (0, f"httpguard: {told}\n")
    done = guarded("--json", "app.py", url, cwd=tmp_path, env=off)
    assert json.loads(done.stderr)["notes"] == [told]
    done = guarded("--exec", "app.py", url, cwd=tmp_path, env=off)
    assert done.stderr == (
        "httpguard run: the setting enabled is off: nothing is guarded\n"
    )


def test_no_client_was_imported() -> None:
    done = guarded("-c", "print(1)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", NO_CLIENT)
    told = json.loads(guarded("--json", "-c", "print(1)").stderr)
    assert [f"httpguard: {note}\n" for note in told["notes"]] == [NO_CLIENT]
    assert guarded("--quiet", "-c", "print(1)").stderr == ""


def test_each_leak_is_told_once(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", LEAKY)
    done = guarded("app.py", url, cwd=tmp_path)
    assert done.stderr.startswith("httpguard: 3 responses leaked, opened at 1 place")
    assert done.stderr.count("in fetch") == 1
    done = guarded("--verbose", "app.py", url, cwd=tmp_path)
    assert done.stderr.startswith("leak dropped app.py:")
    assert "\nsummary: 3 leaked of 3 opened responses" in done.stderr
    assert "\nhttpguard: 3 responses leaked" in done.stderr


def test_a_program_that_has_set_up_its_log_keeps_it(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "import logging; logging.basicConfig()\n" + LEAKY)
    done = guarded("app.py", url, cwd=tmp_path)
    assert done.stderr.startswith("WARNING:httpguard:leak dropped app.py:")


def test_json(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", LEAKY)
    done = guarded("--json", "--fail", "app.py", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (23, "")
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["responses"], told["leaks"], told["notes"]) == (3, 3, [])
    (site,) = told["sites"]
    assert (site["kind"], site["lineno"]) == ("dropped", line_of(LEAKY, "# LEAK"))
    write(tmp_path / "clean.py", CLEAN)
    told = json.loads(guarded("--json", "clean.py", url, cwd=tmp_path).stderr)
    assert (told["responses"], told["leaks"], told["sites"]) == (14, 0, [])


def test_sessions_are_no_responses(url: str, tmp_path: Path) -> None:
    end = "requests.get(sys.argv[1], stream=True)\n"
    write(tmp_path / "app.py", SESSIONS + end)
    env = {"HTTPGUARD_MAX_SESSIONS": "1"}
    done = guarded("--fail", "app.py", url, 2, cwd=tmp_path, env=env)
    assert done.returncode == 23
    table = done.stderr[done.stderr.index("httpguard: ") :]
    assert table.startswith(
        "httpguard: 1 response and 2 sessions leaked, opened at 2 places, in 1 process"
    )
    place = f"app.py:{line_of(SESSIONS, '# LEAK')} in ask"
    assert re.search(rf"│ +2 │ session │ {place} +│", table)
    assert f"│   {url.removesuffix('/bytes/90000')} " in table


def test_leaks_that_ended_well_after_all(url: str, tmp_path: Path) -> None:
    program = "import httpguard, requests, sys, time\n"
    program += "kept = requests.get(sys.argv[1], stream=True)\n"
    program += "time.sleep(0.2); httpguard.check()\n"
    program += "kept.close(); httpguard.check()\n"
    write(tmp_path / "app.py", program)
    done = guarded("--max-idle", "0.1", "app.py", url, cwd=tmp_path)
    assert re.search(r"│ +1 │ held +│ app\.py:2 in <module>", done.stderr)
    assert re.search(r"│ \(1 resolved\) │", done.stderr)


def test_more_places_than_a_table_has_rows(url: str, tmp_path: Path) -> None:
    line = "requests.get(sys.argv[1], stream=True)  # \x1b[2J"
    program = "import requests, sys\n" + f"{line}\n" * 52
    program += f"for _ in range(2):\n    {line}\n"
    write(tmp_path / "app.py", program)
    done = guarded("app.py", url, cwd=tmp_path)
    assert "httpguard: 54 responses leaked, opened at 53 places" in done.stderr
    table = done.stderr[done.stderr.index("httpguard: 54") :]
    assert "… and 3 more places" in table
    assert "\x1b" not in table
    # The most frequent first.
    assert re.findall(r"│ +(\d) │ dropped │", table) == ["2"] + ["1"] * 49


def test_nothing_stays_behind(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", LEAKY)
    (tmp_path / "temporary").mkdir()
    env = {"TMPDIR": str(tmp_path / "temporary")}
    done = guarded("--fail", "app.py", url, cwd=tmp_path, env=env)
    assert done.returncode == 23
    assert os.listdir(tmp_path / "temporary") == []


def test_a_line_that_a_killed_process_has_cut(url: str, tmp_path: Path) -> None:
    cut = """
import os
with open(os.environ["_HTTPGUARD_RUN"] + ".jsonl", "a") as file:
    file.write('{"event": "httpguard.le')
"""
    write(tmp_path / "app.py", cut + LEAKY)
    done = guarded("--fail", "app.py", url, cwd=tmp_path)
    assert done.returncode == 23
    assert "httpguard: 3 responses leaked, opened at 1 place" in done.stderr


def test_one_run_inside_another(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "import os; print(os.environ['PYTHONPATH'])\n" + LEAKY)
    inner = [*CLI[1:], "app.py", url]
    done = guarded(sys.executable, *inner, cwd=tmp_path)
    assert done.stdout.count("bootstrap") == 1
    assert done.stderr.count("httpguard: 3 responses leaked, opened at 1 place") == 1


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root alone may give up"
)
def test_a_process_that_gives_up_its_rights(url: str, tmp_path: Path) -> None:
    program = "import httpguard, os, requests, sys\n"
    program += "requests.get(sys.argv[1], stream=True); httpguard.check()\n"
    program += "os.setgid(65534); os.setuid(65534)\n"
    program += "requests.get(sys.argv[1], stream=True); httpguard.check()\n"
    write(tmp_path / "app.py", program)
    done = guarded("app.py", url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "httpguard: 2 responses leaked, opened at 2 places" in done.stderr


@pytest.mark.parametrize(
    ("ending", "code"), [("", 23), ("sys.exit(5)", 5), ("os.kill(os.getpid(), 9)", -9)]
)
def test_fail(ending: str, code: int, url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "import os\n" + LEAKY + ending)
    assert guarded("--fail", "app.py", url, cwd=tmp_path).returncode == code


OPEN = """
import sys, threading, atexit
import requests
class Feed:
    def __init__(self, path):
        self.response = requests.get(sys.argv[1] + path, stream=True)  # LEAK
    def read(self):
        for chunk in self.response.iter_content(1):
            seen.set()
seen = threading.Event()
{}
"""

FINALIZE = (
    "import weakref, contextlib; feed = Feed('/bytes/90000');"
    " stack = contextlib.ExitStack(); stack.enter_context(feed.response);"
    " weakref.finalize(Feed, {})"
)


@pytest.mark.parametrize(
    ("statement", "leaked"),
    [
        ("feed = Feed('/bytes/90000')", 1),
        ("feed = Feed('/bytes/90000'); feed.response.close()", 0),
        ("feed = Feed('/bytes/90000'); atexit.register(feed.response.close)", 0),
        # What a finalizer leads to is closed later, unless that one is not called.
        (FINALIZE.format("feed.response.close"), 0),
        (FINALIZE.format("stack.close"), 0),
        (FINALIZE.format("lambda: feed.response.close()"), 0),
        (FINALIZE.format("print, 'bye'"), 1),
        (FINALIZE.format("feed.response.close") + ".atexit = False", 1),
        ("feed = Feed('/bytes/90000'); list(feed.read() or ())", 0),
        # A daemon thread that waits in a read is in use of its response.
        (
            (
                "feed = Feed('/slow');"
                " threading.Thread(target=feed.read, daemon=True).start();"
                " seen.wait(20)"
            ),
            0,
        ),
    ],
)
def test_what_is_open_at_the_end(
    statement: str, leaked: int, server: Server, tmp_path: Path
) -> None:
    source = OPEN.format(statement)
    write(tmp_path / "app.py", source)
    log = tmp_path / "log"
    done = guarded("--fail", "--log", log, "app.py", server.url(""), cwd=tmp_path)
    assert done.returncode == (23 if leaked else 0), done.stderr
    found = [event for event in events(log) if event["event"] == "httpguard.leak"]
    assert [leak["kind"] for leak in found] == ["open"] * leaked
    assert [leak["site"]["lineno"] for leak in found] == [
        line_of(source, "# LEAK")
    ] * leaked


def test_what_is_open_at_the_end_is_no_leak_of_install(
    server: Server, tmp_path: Path
) -> None:
    source = OPEN.format("feed = Feed('/bytes/90000')")
    program = write(
        tmp_path / "app.py", "import httpguard; httpguard.install()" + source
    )
    done = execute([sys.executable, str(program), server.url("")])
    assert (done.returncode, done.stderr) == (0, "")


def test_strict(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", LEAKY)
    done = guarded("--strict", "app.py", url, cwd=tmp_path)
    assert done.returncode == 1
    assert "\nhttpguard.LeakError: 1 leaked response (max_leaks=0)\n" in done.stderr
    assert "httpguard: 1 response leaked" in done.stderr


def test_strict_of_a_program_that_ends_well_all_the_same(
    url: str, tmp_path: Path
) -> None:
    program = LEAKY.replace("range(3)", "range(1)")
    write(tmp_path / "app.py", program)
    write(tmp_path / "exits.py", program + "import sys; sys.exit(5)")
    assert guarded("--strict", "app.py", url, cwd=tmp_path).returncode == 23
    assert guarded("--strict", "exits.py", url, cwd=tmp_path).returncode == 5
    assert guarded("app.py", url, cwd=tmp_path).returncode == 0
    env = {"HTTPGUARD_MAX_LEAKS": "1"}
    assert guarded("--strict", "app.py", url, cwd=tmp_path, env=env).returncode == 0
    (tmp_path / "good.py").write_text("import requests")
    assert guarded("--strict", "good.py", cwd=tmp_path).returncode == 0


def test_a_child_that_leaves_by_os_exit_is_marked(url: str, tmp_path: Path) -> None:
    program = f"""
{LEAKY.partition("for _ in")[0]}
import os
child = os.fork()
for _ in range(2):
    fetch(sys.argv[1])
if not child:
    os._exit(0)
os.waitpid(child, 0)
"""
    write(tmp_path / "app.py", program)
    done = guarded("app.py", url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"│ +3\+ │ dropped", done.stderr), done.stderr
    assert "left by os._exit" in " ".join(done.stderr.split())


CUT = f"""
{LEAKY.partition("for _ in")[0]}
import multiprocessing, os
def leave_at_once(url):
    if not (child := os.fork()):
        fetch(url)
        os._exit(0)
    os.waitpid(child, 0)
def terminate(url):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        pool.map(fetch, [url])
def read_at_the_end(url):
    if not (child := os.fork()):
        requests.get(url).text
        sys.exit()
    os.waitpid(child, 0)
def without_responses(url):
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize(
    ("how", "cut"),
    [
        ("leave_at_once", True),
        ("terminate", True),
        ("read_at_the_end", False),
        ("without_responses", False),
    ],
)
def test_what_no_sweep_saw_is_said_to_be_unknown(
    how: str, *, cut: bool, url: str, tmp_path: Path
) -> None:
    write(tmp_path / "app.py", f"{CUT}\n{how}(sys.argv[1])")
    done = guarded("app.py", url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    unknown = "1 process with responses ended without summing up" in said
    # A sweep may have come before it was killed.
    assert unknown == cut, said
    assert ("none leaked" in said) != cut, said


def test_settings(url: str, tmp_path: Path) -> None:
    program = (
        "import requests, httpguard._process.process as p; print(p.current().settings)"
    )
    words = ["--max-idle", "7", "--max-open", "9", "--app=one", "--app", "two"]
    done = guarded(*words, "--ignore", "*/health", "-c", program)
    for text in (
        "max_idle=7.0",
        "max_open=9",
        "app=('one', 'two')",
        "ignore=('*/health',)",
        "check_interval=1.0",
        "strict=False",
    ):
        assert text in done.stdout
    done = guarded("-c", program, env={"HTTPGUARD_CHECK_INTERVAL": "3"})
    assert "check_interval=3.0" in done.stdout


@pytest.mark.parametrize("moment", ["", "import requests"])
def test_a_program_that_installs_by_itself(
    moment: str, url: str, tmp_path: Path
) -> None:
    program = moment + "\nimport httpguard; httpguard.install(max_open=2)" + LEAKY
    program += "print(httpguard._process.process.current().settings.max_open)\n"
    program += "keep = requests.get(sys.argv[1], stream=True)\n"
    write(tmp_path / "app.py", program)
    done = guarded("--max-open", "5", "app.py", url, cwd=tmp_path)
    assert done.stdout == "2\n"
    assert "httpguard: 4 responses leaked, opened at 2 places" in done.stderr
    assert "leak dropped" not in done.stderr


def test_more_than_max_open(url: str, tmp_path: Path) -> None:
    program = "import requests, sys\n"
    program += "kept = [requests.get(sys.argv[1], stream=True) for _ in range(3)]\n"
    program += "for response in kept: response.close()\n"
    write(tmp_path / "app.py", program)
    done = guarded("--max-open", "2", "app.py", url, cwd=tmp_path)
    assert done.returncode == 0
    assert "httpguard: more than max_open responses were open at once" in done.stderr


CHILDREN = """
import multiprocessing, os, subprocess, sys
import requests
def fetch(url):
    requests.get(url, stream=True)  # LEAK
if __name__ == "__main__":
    url = sys.argv[1]
    fetch(url)
    for method in ("fork", "spawn", "forkserver"):
        child = multiprocessing.get_context(method).Process(target=fetch, args=[url])
        child.start(); child.join()
    program = "import sys, app; app.fetch(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, url], check=True)
    subprocess.run(["sh", "-c", f"{sys.executable} -c '{program}' {url}"], check=True)
    if not (child := os.fork()):
        fetch(url); sys.exit()
    os.waitpid(child, 0)
    fetch(url)
    sys.stderr.flush()
    os.environ["PYTHONPATH"] += os.pathsep + os.getcwd()
    os.execv(sys.executable, [sys.executable, "-c", program, url])
"""


def test_child_processes(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", CHILDREN)
    log = tmp_path / "log"
    done = guarded("--log", log, "app.py", url, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # Three of multiprocessing, two of subprocess, a fork, and the first one, which
    # becomes another program of the same number.
    runs = {event["run"] for event in events(log)}
    assert len(runs) == 8
    assert len(leaks(log)) == 7
    # The second leak of the one that was replaced went before a sweep.
    assert re.search(
        r"httpguard: [89] responses leaked, opened at 1 place, in 8 processes",
        done.stderr,
    )


def test_a_relative_log_is_one_file(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app.py", LEAKY)
    program = f"""
import os, subprocess, sys
os.chdir("/")
subprocess.run([sys.executable, {str(tmp_path / "app.py")!r}, sys.argv[1]])
"""
    write(tmp_path / "parent.py", program)
    for _ in range(2):
        guarded("--log", "leaks.jsonl", "parent.py", url, cwd=tmp_path)
    assert list(leaks(tmp_path / "leaks.jsonl").values()) == [3, 3]


def test_a_killed_process_counts_what_was_found_before(
    url: str, tmp_path: Path
) -> None:
    program = LEAKY.replace("range(3)", "range(7)") + "import time; time.sleep(60)"
    write(tmp_path / "app.py", program)
    log = tmp_path / "log"
    process = start(
        *["--log", log, "app.py", url],
        env={"HTTPGUARD_CHECK_INTERVAL": "0.1"},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: leaks(log), process, "the leak")
    child = next(iter(leaks(log)))
    os.kill(child, signal.SIGKILL)
    _, stderr = process.communicate(timeout=150)
    assert process.returncode == -signal.SIGKILL
    assert re.search(r"│ +\d\+ │ dropped", stderr)
    assert "+: at least; a process was killed before it could sum up" in stderr


def test_counts_are_written_now_and_then(url: str, tmp_path: Path) -> None:
    program = """
import os, sys
import httpguard, requests
def so_far():
    with open(os.environ["_HTTPGUARD_RUN"] + ".jsonl") as log:
        return log.read().count('"httpguard.so_far"')
requests.get(sys.argv[1], stream=True)
for _ in range(300):
    httpguard.check()
print(so_far())
for _ in range(300):
    requests.get(sys.argv[1], stream=True)
    httpguard.check()
print(so_far())
"""
    write(tmp_path / "app.py", program)
    done = guarded("app.py", url, cwd=tmp_path)
    same, more = map(int, done.stdout.split())
    assert same <= 1
    assert 1 <= more <= 150
    assert "httpguard: 301 responses leaked" in done.stderr


def test_a_process_that_outlives_the_run(url: str, tmp_path: Path) -> None:
    program = f"""
import os, sys, time
read, write = os.pipe()
if os.fork():
    sys.exit()
os.close(write)
sys.stderr = open("daemon", "w")
while os.path.exists(os.environ["_HTTPGUARD_RUN"] + ".jsonl"):
    time.sleep(0.02)
{LEAKY}
import httpguard
print(httpguard.snapshot().counters["errors"], file=open("done", "w"))
"""
    write(tmp_path / "app.py", program)
    done = guarded("app.py", url, cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    alive = start("-c", "import time; time.sleep(60)")
    try:
        result = tmp_path / "done"
        wait_for(lambda: result.exists() and result.read_text(), alive, "the daemon")
    finally:
        end(alive)
    assert result.read_text() == "0\n"
    assert "leak dropped" in (tmp_path / "daemon").read_text()


def test_a_baseline(url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", LEAKY)
    baseline = tmp_path / "baseline.json"
    entry = {
        "kind": "dropped",
        "file": "app.py",
        "function": "fetch",
        "source": "return requests.get(url, stream=True).status_code  # LEAK",
    }
    gone = {**entry, "function": "gone"}
    baseline.write_text(json.dumps({"version": 1, "leaks": [entry, gone]}))
    words = ["--fail", "--baseline", baseline, "app.py", url]
    done = guarded(*words, cwd=tmp_path)
    assert done.returncode == 0
    notes = done.stderr[done.stderr.index("httpguard: ") :]
    assert notes.startswith("httpguard: the baseline tolerates 3 leaks\n")
    assert "not seen in this run: dropped at app.py in gone" in notes
    # Lines move, and a new leak comes.
    leak = "requests.get(sys.argv[1], stream=True)\n"
    program.write_text("\n\n" + program.read_text() + leak)
    done = guarded(*words, cwd=tmp_path)
    assert done.returncode == 23
    assert "httpguard: 1 response leaked, opened at 1 place" in done.stderr


# What it cannot guard, it says.


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_interpreter_that_ignores_its_environment(option: str) -> None:
    done = guarded(sys.executable, option, "-c", "print(1)")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.startswith("httpguard: nothing was guarded: ")
    assert option in done.stderr


def test_a_command_that_is_not_python() -> None:
    done = guarded("sh", "-c", "echo out; echo err >&2; exit 4")
    assert (done.returncode, done.stdout) == (4, "out\n")
    assert done.stderr.startswith("err\nhttpguard: nothing was guarded: ")


def test_an_environment_without_httpguard(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    words = ["run", str(python), "-c", "print(1)"]
    main = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    main += f"from httpguard.cli import main; main({words!r})"
    done = execute([sys.executable, "-c", main], {"PYTHONPATH": ""})
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr == (
        f"httpguard: not guarded: {python} (1 process): httpguard is not installed"
        f" there\nhttpguard:   install it with: {python} -m pip install"
        f" {checkout() or 'httpguard'}\n"
    )
    words.insert(1, "--exec")
    main = main.replace("['run', ", "['run', '--exec', ")
    done = execute([sys.executable, "-c", main], {"PYTHONPATH": ""})
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "is not guarded: httpguard is not installed there" in done.stderr


def test_what_httpguard_itself_fails_at(tmp_path: Path) -> None:
    """A broken httpguard in the program's environment: it goes on without."""
    write(tmp_path / "site" / "wrapt.py", "raise RuntimeError('broken')")
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    done = guarded("-c", "import urllib3; print(1)", env={"PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "(1 process): RuntimeError: broken\n" in done.stderr


# Errors of use.


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "PROGRAM"),
        (["--fail"], "PROGRAM"),
        (["--bogus", "app.py"], "--bogus"),
        (["missing.py"], "'missing.py' is no file"),
        (["missing"], "'missing' is no command on PATH and no file"),
        (["-m"], "-m needs a module to run"),
        (["-c"], "-c needs a piece of code to run"),
        (["directory"], "'directory' is a directory without a __main__.py"),
        (["./broken"], "cannot run './broken': Exec format error"),
        (["--max-idle", "soon", "app.py"], "--max-idle='soon' is not accepted"),
        (["--max-open", "0", "app.py"], "--max-open='0' is not accepted"),
        (["--max-open"], "--max-open"),
        (["--log", "", "app.py"], "--log"),
        (["--baseline", "none.json", "app.py"], "none.json"),
        (["--exec", "--fail", "app.py"], "--fail has no effect beside --exec"),
        (["--exec", "--baseline", "b.json", "app.py"], "--baseline"),
        (["--log", "directory", "app.py"], "it is a directory"),
        (["--log", "none/log", "app.py"], "there is no directory"),
    ],
)
def test_errors_of_use(
    words: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "app.py", "print('begun')")
    (tmp_path / "directory").mkdir()
    write(tmp_path / "broken", "\0\0").chmod(0o755)
    (tmp_path / "b.json").write_text('{"version": 1, "leaks": []}')
    with pytest.raises(SystemExit) as exited:
        cli.main(["run", *words])
    output, errors = capfd.readouterr()
    assert (exited.value.code, output) == (2, "")
    assert named in re.sub(r"\s+", " ", re.sub("[│╭╮╰╯─]", "", errors))


def test_a_log_that_may_not_be_written(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "print('begun')")
    (tmp_path / "locked").mkdir(mode=0o500)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write anywhere")
    done = guarded("--log", "locked/log", "app.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing may be written in" in done.stderr


def test_a_log_that_is_not_needed_is_not_made(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "print('begun')")
    done = guarded("--log", "log", "app.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "begun\n")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("line", ["guarded", "unguarded\tpython", "", "gua", "\t"])
def test_a_note_of_a_process_that_was_cut(line: str, tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").touch()
    notes = f"guarded\tpython\t\n{line}\nunguarded\tpython\tno luck"
    (tmp_path / "run.processes").write_text(notes)
    outcome = read_outcome(str(tmp_path / "run"))
    assert outcome.guarded == 1 + (line == "guarded")
    assert outcome.unguarded["python", "no luck"] == 1


def test_a_variable_that_is_not_accepted() -> None:
    done = guarded("-c", "print(1)", env={"HTTPGUARD_SAMPLE": "2"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "HTTPGUARD_SAMPLE='2' is not accepted" in done.stderr


def test_a_variable_that_may_be_a_typo() -> None:
    done = guarded("-c", "print(1)", env={"HTTPGUARD_SAMPEL": "1"})
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "no setting HTTPGUARD_SAMPEL; did you mean HTTPGUARD_SAMPLE?" in done.stderr


def test_help() -> None:
    done = guarded("--help")
    text = " ".join(done.stdout.split())
    assert (done.returncode, done.stderr) == (0, "")
    for part in ("httpguard run --fail -m pytest tests", "--log", "--strict", "23"):
        assert part in text
