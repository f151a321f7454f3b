"""Where there is no fork, no resource limit and no slash: macOS, Windows."""

from __future__ import annotations

import ast
import ntpath
import os
import types
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import httpguard
from httpguard._stacks import ownership as _origin
from tests.faults._points import CORE
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from tests.server import Server

PACKAGE = Path(httpguard.__file__).parent
# Modules and attributes that not every system has.
NOT_EVERYWHERE = frozenset(
    [
        "fcntl",
        "grp",
        "nis",
        "posix",
        "pty",
        "pwd",
        "readline",
        "resource",
        "spwd",
        "syslog",
        "termios",
        "tty",
        "msvcrt",
        "winreg",
        "winsound",
        "_winapi",
    ]
)
OF_OS = frozenset(
    [
        "fork",
        "forkpty",
        "register_at_fork",
        "getuid",
        "geteuid",
        "getgid",
        "getppid",
        "getpgid",
        "killpg",
        "nice",
        "sysconf",
        "wait",
        "waitpid",
        "statvfs",
        "mkfifo",
        "uname",
        "getloadavg",
        "sched_getaffinity",
        "pipe2",
        "eventfd",
        "memfd_create",
        "openpty",
    ]
)
# As Windows: no fork, nothing that only POSIX has; macOS has all of these but /proc.
WITHOUT = """
import os, sys
import concurrent.futures, logging, multiprocessing, requests, structlog, wrapt
{setup}
import httpguard
httpguard.install(check_interval={interval}, max_idle=0)
def drop():
    requests.get(sys.argv[1], stream=True)  # LEAK
drop()
kept = requests.get(sys.argv[1], stream=True)
leaks = httpguard.check().leaks
print(sorted((str(leak.kind), leak.site.function) for leak in leaks), flush=True)
kept.close()
httpguard.uninstall()
"""
SETUPS = {
    "nothing of POSIX": f"""
for name in {sorted(OF_OS)}:
    if hasattr(os, name):
        delattr(os, name)
for name in {sorted(NOT_EVERYWHERE - {"posix"})}:
    sys.modules[name] = None
sys.platform = "win32"
""",
    "no signals": """
import signal
for name in dir(signal):
    if name.startswith("SIG"):
        delattr(signal, name)
sys.modules["signal"] = None
""",
    "no /proc": """
import builtins
real = builtins.open
def refuse(file, *arguments, **options):
    assert not str(file).startswith(("/proc", "/sys", "/dev")), file
    return real(file, *arguments, **options)
builtins.open = os.open = refuse
""",
}


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("interval", [0, 0.01], ids=["calls", "thread"])
def test_without(setup: str, interval: float, server: Server, tmp_path: Path) -> None:
    source = WITHOUT.format(setup=SETUPS[setup], interval=interval)
    done = run(write(tmp_path / "app.py", source), server.url("/bytes/90000"))
    assert done.stdout == "[('dropped', 'drop'), ('held', '<module>')]\n", done.stderr
    assert f"app.py:{line_of(source, '# LEAK')} in drop" in done.stderr
    assert "stepped aside" not in done.stderr
    assert done.returncode == 0


def test_nothing_of_one_system_is_taken_for_granted() -> None:
    """Only behind a check, or in a `try`."""
    used = []
    for module in CORE:
        path = PACKAGE / f"{module.replace('.', '/')}.py"
        if not path.exists():
            path = path.with_suffix("") / "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: set[str] = set()
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names} & NOT_EVERYWHERE
            elif isinstance(node, ast.ImportFrom):
                names = {node.module or ""} & NOT_EVERYWHERE
            elif isinstance(node, ast.Attribute) and _is_os(node.value):
                names = {node.attr} & OF_OS
            elif isinstance(node, ast.Constant) and _is_special(node.value):
                names = {str(node.value)}
            used += [(path.name, name) for name in names]
    assert sorted({*used}) == [
        ("descriptors.py", "/dev/fd"),
        ("descriptors.py", "resource"),
        ("forks.py", "register_at_fork"),
        ("wire.py", "fcntl"),
        ("wire.py", "termios"),
    ]


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def _is_special(value: object) -> bool:
    return str(value).startswith(("/proc", "/sys/", "/dev/"))


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths as Windows has them."""
    fake = types.SimpleNamespace(path=ntpath, sep="\\", __file__=r"C:\Py\Lib\os.py")
    monkeypatch.setattr(_origin, "os", fake)
    directories = ("c:\\py\\lib\\", "c:\\venv\\scripts\\")
    monkeypatch.setattr(_origin, "_library_directories", lambda: directories)
    monkeypatch.setattr(ntpath, "abspath", ntpath.normpath)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("filename", "application"),
    [
        (r"C:\Users\me\app.py", True),
        (r"C:\Users\me\project\site\pages.py", True),
        (r"C:\Py\Lib\threading.py", False),
        (r"c:\py\lib\threading.py", False),
        (r"C:\Py\Lib\site-packages\library\client.py", False),
        (r"C:\Py\Lib\site-packages\mine\client.py", True),
        (r"C:\venv\Scripts\tool.exe\__main__.py", False),
        ("<stdin>", True),
    ],
)
def test_whose_code_a_windows_path_is(filename: str, *, application: bool) -> None:
    assert _origin.is_application(filename, ("mine",)) is application


@pytest.mark.usefixtures("windows")
def test_modules_of_windows_paths() -> None:
    name = _origin.module_of(r"C:\Py\Lib\site-packages\library\sub\client.py")
    assert name == "library.sub.client"
    assert _origin.module_of(r"C:\Users\me\no_such_app.py") == "no_such_app"


def test_this_system_has_its_case() -> None:
    """The standard library is recognised whatever normalising does to it."""
    assert not _origin.is_application(os.__file__, ())
