"""The thread that runs, without waking what Python has not made yet."""

from __future__ import annotations

import threading


def thread_name() -> str:
    """The name of the thread, or the number of the greenlet, that runs this.

    Not by ``threading.current_thread()``: for a thread that Python did not
    start, that one makes a dummy which the program would see.
    """
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]  # the table behind enumerate()
    if thread is not None:
        return thread._name  # type: ignore[no-any-return]  # the property is twice as slow
    # Not a greenlet's `name` either: gevent assigns one as it is asked for.
    return f"thread-{ident}"
