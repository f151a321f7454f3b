"""A body that is not what its ``Content-Encoding`` says, in a plain call of requests.

requests gives up in the middle, raises, and closes nothing. The slot of a pool that
blocks is lost then. Elsewhere that is harmless: the connection goes with the error.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .._stacks.variables import first_argument, variable
from .gate import GATE
from .losing import blame, stop_reading
from .urllib3.callers import above, session_above
from .urllib3.responses import lend_lost

if TYPE_CHECKING:
    from types import FrameType

    from .patching import Patcher
    from .urllib3.callers import Codes

# From where urllib3 raises to its response.
_MOST_FRAMES: Final = 8


def patch(patcher: Patcher, codes: Codes) -> None:
    """See each error of decoding as it is made: a plain request pays nothing."""
    package = codes.urllib3.name
    error = import_module(f"{package}.exceptions").DecodeError
    kind = import_module(f"{package}.response").HTTPResponse
    note = partial(_note, kind=kind, codes=codes)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            if GATE.guard is not None:
                note(sys._getframe(1))
        except Exception as fault:
            GATE.fault("DecodeError", fault)
        super(error, self).__init__(*args, **kwargs)

    patcher.add(error, "__init__", init)


def _note(frame: FrameType | None, *, kind: type, codes: Codes) -> None:
    """Open the lease of a response that requests reads for itself, and will lose."""
    response: Any = None
    for _ in range(_MOST_FRAMES):
        if frame is None or response is not None:
            break
        owner = first_argument(frame)
        response = owner if isinstance(owner, kind) else None
        frame = frame.f_back
    session = session_above(frame, codes)
    if session is None or response is None:
        return
    connection = response._connection
    if connection is None or not response._pool.block:
        return
    registry = GATE.registry
    lease = registry.leases.get(id(connection))
    if lease is None:
        request = variable(session, "request")
        lend_lost(codes.client, response, request, above(session), raising=False)
    elif lease.reading and lease() is response:
        stop_reading(registry, lease, above(session))
        blame(lease, (), "")
