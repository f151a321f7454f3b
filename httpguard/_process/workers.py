"""Workers of pools: what is known of them, however they begin and end.

multiprocessing: a worker is guarded as its parent is, however it is started.

A forked worker has its parent's guard. One that begins as a new interpreter, or as the
fork of a server, has imported what its ``__main__`` imports, and no more: where
`install` stands below ``if __name__ == "__main__"``, nothing there guards it. The
settings go with the pickled process object, which the worker reads after its path and
its ``__main__`` are as they shall be.

billiard, celery's own multiprocessing: a worker of its pool leaves by `os._exit`, past
atexit and all finalizers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .._clients.gate import GATE
from .exits import finish
from .process import PROCESS, is_installed

if TYPE_CHECKING:
    from .._clients.patching import Method, Patcher

MULTIPROCESSING: Final = "multiprocessing.process"
BILLIARD: Final = "billiard.pool"
_ATTRIBUTE: Final = "_httpguard"
# Runs while a worker unpickles its process. There it may be that there is no httpguard,
# or another one: a worker begins all the same.
_SOURCE: Final = """
try:
    from httpguard._process.worker import begin
except Exception:
    pass
else:
    begin(settings)
"""


class _Given:
    """What a worker is given: unpickled, the settings have the worker guarded."""

    def __init__(self, settings: bytes) -> None:
        self._settings = settings

    def __reduce__(self) -> tuple[Any, ...]:
        """Nothing that a worker would have to import."""
        return exec, (_SOURCE, {"settings": self._settings})


def patch_workers(patcher: Patcher) -> None:
    """Have every process object that is started take the settings along."""
    from multiprocessing.process import BaseProcess

    def start(wrapped: Method) -> Method:
        def start(self: Any) -> Any:
            given = None
            try:
                given = _given()
                if given is not None:
                    vars(self)[_ATTRIBUTE] = given
            except Exception as error:
                GATE.fault("workers", error)
            try:
                return wrapped(self)
            finally:
                if given is not None:
                    vars(self).pop(_ATTRIBUTE, None)

        return start

    patcher.wrap(BaseProcess, "start", start)


def patch_billiard(patcher: Patcher) -> None:
    """Have a worker of a pool sum up when what the program does at its end is done."""
    from billiard.pool import Worker

    def do_exit(wrapped: Method) -> Method:
        def _do_exit(self: Any, *args: Any, **kwargs: Any) -> Any:
            last = self.on_exit

            def on_exit(*args: Any) -> None:
                try:
                    if last is not None:
                        last(*args)
                finally:
                    finish()

            self.on_exit = on_exit
            return wrapped(self, *args, **kwargs)

        return _do_exit

    patcher.wrap(Worker, "_do_exit", do_exit)


def _given() -> _Given | None:
    """The settings of the moment; None where the program has not installed it."""
    guard = PROCESS.guard
    if guard is None or PROCESS.visitors or PROCESS.attached or not is_installed():
        return None
    import pickle

    # The port of the page is the parent's; a relative path is from where it is.
    log = None if PROCESS.log is None else PROCESS.log.path
    settings = replace(guard.settings, serve=None, serve_token=None, log=log)
    return _Given(pickle.dumps(settings))
