"""What a program is given to run, in which there may be no httpguard yet.

The text of this file is sent as a script, and a call of `begin` below it. CPython runs
that at a safe point of the main thread, which may hold any lock there, and may be in
the middle of any import: `begin` imports nothing, waits for nothing, and is back at
once.
"""

from __future__ import annotations

import _thread
import sys

# As `typing` has it, which is not imported here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as _socket
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from typing import Any

MARK = "_httpguard_attached"
"""On what came along: the loader of each module, and the finder."""
LOGGER = "_httpguard_had_logger"
"""On the finder: whether the program has named our logger by itself."""
WRAPT = "httpguard._wrapt"
"""The name of the copy of wrapt: what the program has, or imports, is another."""


def begin(task: dict[str, Any]) -> None:
    """Have the rest of a task of `start` done in a thread. It never raises."""
    try:  # noqa: SIM105  # Nothing is imported.
        _thread.start_new_thread(_start, (task,))
    except BaseException:  # noqa: S110
        pass  # No thread is to be had: the command waits in vain, and says so.


def _start(task: dict[str, Any]) -> None:
    """In a thread that `threading` does not know: one that it knows.

    To start that one takes locks of `threading`, which the main thread may have.
    """
    try:
        import threading

        threading.Thread(
            target=_run, args=(task,), name="httpguard-attach", daemon=True
        ).start()
    except BaseException:  # noqa: S110
        pass


def _run(task: dict[str, Any]) -> None:
    import socket

    channel = socket.socket(socket.AF_UNIX)
    try:
        channel.connect(task["socket"])
    except OSError:  # Nobody waits any more.
        channel.close()
        return
    try:
        reason = _bring(task)
        if reason:
            say(channel, {"refused": reason})
            channel.close()
            return
        from httpguard._attach.inside import Visit

        Visit(channel, task, say, clean).run()
    except BaseException:
        import traceback

        try:  # noqa: SIM105
            say(channel, {"failed": traceback.format_exc()})
        except OSError:
            pass
        channel.close()
        clean()


def say(channel: _socket.socket, answer: dict[str, Any]) -> None:
    import json

    channel.sendall(json.dumps(answer).encode() + b"\n")


def _bring(task: dict[str, Any]) -> str:
    """Make httpguard importable; why not, where that is so.

    Nothing that comes along is compiled, since that can not be taken out again, and no
    bytecode is written.
    """
    known = sys.modules.get("httpguard")
    if known is not None:
        version = getattr(known, "__version__", "?")
        return "" if version == task["version"] else f"version {version}"
    from importlib.machinery import FileFinder, SourceFileLoader
    from importlib.util import spec_from_file_location

    places = {"httpguard": task["places"]["httpguard"], WRAPT: task["places"]["wrapt"]}
    finders = {}

    class Loader(SourceFileLoader):
        def set_data(self, *_args: Any, **_options: Any) -> None:
            """Write no bytecode."""

    class Finder:
        @staticmethod
        def find_spec(
            name: str, path: Sequence[str] | None = None, _target: object = None
        ) -> ModuleSpec | None:
            if name in places:
                file = f"{places[name]}/__init__.py"
                return spec_from_file_location(name, file, loader=Loader(name, file))
            if name.partition(".")[0] != "httpguard":
                return None
            for folder in path or ():
                if folder not in finders:
                    finders[folder] = FileFinder(folder, (Loader, [".py"]))
                spec = finders[folder].find_spec(name)
                if spec is not None and spec.loader is not None:
                    return spec
            # Nor shall any other finder find it.
            raise ModuleNotFoundError(f"{name} did not come along", name=name)

    setattr(Finder, LOGGER, "httpguard" in _loggers())
    setattr(Loader, MARK, True)
    setattr(Finder, MARK, True)
    sys.meta_path.insert(0, Finder)
    return ""


def clean() -> None:
    """Take all that came along out again: modules and finders."""
    forks: Any = sys.modules.get("httpguard._process.forks")
    if not is_ours(forks):
        return  # The program has its own.
    forks.let_go()
    for finder in list(sys.meta_path):
        # wrapt's, where it waits for imports.
        is_wrapt = type(finder).__module__ == f"{WRAPT}.importer"
        if is_wrapt or getattr(finder, MARK, False) is True:
            sys.meta_path.remove(finder)
        if not getattr(finder, LOGGER, True):
            _loggers().pop("httpguard", None)
    for name in list(sys.modules):
        if name.partition(".")[0] == "httpguard" and is_ours(sys.modules.get(name)):
            sys.modules.pop(name, None)


def _loggers() -> dict[str, Any]:
    logger = getattr(sys.modules.get("logging"), "Logger", None)
    return logger.manager.loggerDict if logger is not None else {}


def is_ours(module: object) -> bool:
    return getattr(getattr(module, "__loader__", None), MARK, False) is True
