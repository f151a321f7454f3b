"""Each that can not be attached to gets one clear sentence, and is left as it is."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from httpguard._attach.refusals import AttachError, refuse, why
from httpguard.cli import main
from tests.attach.programs import LOOP, attach, interpreter, python, running

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["python"]


def refusal(python: str, pid: int) -> str:
    ended = attach(python, pid)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert not glob.glob(os.path.join(tempfile.gettempdir(), "httpguard-*"))
    return line


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this one can attach")
def test_an_interpreter_that_is_too_old(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["attach", str(os.getppid())])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("httpguard attach: attach needs CPython 3.14 or later")
    assert "HTTPGUARD_SERVE=0" in line


def test_no_such_process() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(AttachError, match=f"there is no process {process.pid}"):
        refuse(process.pid)
    with pytest.raises(AttachError, match="there is no process"):
        refuse(10**30)


def test_itself() -> None:
    with pytest.raises(AttachError, match="is this command itself"):
        refuse(os.getpid())


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="there are no users")
def test_another_users(python: str, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        with pytest.raises(AttachError, match="process 1 is another user's"):
            refuse(1)
        return
    with running(python, tmp_path, LOOP) as program:
        code = (
            "import os, sys; os.setgid(65534); os.setuid(65534)\n"
            "from httpguard.cli import main; main(sys.argv[1:])"
        )
        ended = subprocess.run(
            [python, "-c", code, "attach", str(program.pid)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        assert ended.returncode == 2
        assert f"process {program.pid} is another user's" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("how", ["option", "variable"])
def test_where_it_is_forbidden(how: str, python: str, tmp_path: Path) -> None:
    options = ["-X", "disable-remote-debug"] if how == "option" else []
    env = {} if options else {"PYTHON_DISABLE_REMOTE_DEBUG": "1"}
    with running(python, tmp_path, LOOP, *options, **env) as program:
        line = refusal(python, program.pid)
        assert "was started with -X disable-remote-debug" in line
        assert program.end() == ""


def test_no_python(python: str) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        line = refusal(python, process.pid)
        process.kill()
    assert f"process {process.pid} is no CPython of version" in line
    assert "sleep" in line


def test_another_version(python: str, tmp_path: Path) -> None:
    others = [found for v in ("3.14", "3.15") if (found := interpreter(v)) != python]
    if sys.version_info < (3, 14):
        others.append(sys.executable)
    other = next(filter(None, others), None)
    if other is None:
        pytest.skip("there is one interpreter only")
    with running(other, tmp_path, LOOP) as program:
        line = refusal(python, program.pid)
        assert f"process {program.pid} runs Python 3." in line
        assert "to the same version only" in line
        assert program.end() == ""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no namespaces")
def test_another_container(python: str) -> None:
    """Its folders are not ours."""
    mounts = "".join(
        f"mount -t tmpfs none {folder} && "
        for folder in (tempfile.gettempdir(), "/dev/shm", os.path.expanduser("~"))
    )
    code = "import time; print(1, flush=True); time.sleep(60)"
    words = ["unshare", "-m", "--propagation", "unchanged", "sh", "-c"]
    with subprocess.Popen(
        [*words, f"{mounts} exec {python} -c '{code}'"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            pytest.skip("this user may make no mounts")
        line = refusal(python, process.pid)
        process.kill()
    assert f"process {process.pid} is in another container" in line


def test_what_cpython_says_is_told_in_a_sentence() -> None:
    disabled = RuntimeError("Remote debugging is not enabled in the remote process")
    assert "-X disable-remote-debug" in str(why(1, disabled))
    assert "another user's" in str(why(1, PermissionError(13, "Permission denied")))
    lookup = RuntimeError("PyRuntime address lookup failed during debug offsets init")
    assert "is no CPython of version" in str(why(os.getpid(), lookup))
    assert str(why(1, RuntimeError("something"))).endswith("attached to: something")
