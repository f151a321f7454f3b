"""Bodies without a length, of which http.client does not count what is read.

Most responses have one: what counts is put on with the first that has none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..gate import GATE
from .later import Later

if TYPE_CHECKING:
    from ..._leases.lease import Lease
    from ..patching import Method, Patcher


def _patch(patcher: Patcher) -> None:
    response = sys.modules["http.client"].HTTPResponse
    patcher.wrap(response, "_read_next_chunk_size", _read_next_chunk_size)
    for name in ("read", "readinto", "read1", "readline"):
        patcher.wrap(response, name, _read)


COUNTING: Final = Later(_patch)


def _lease_of(response: Any) -> Lease | None:
    registry = GATE.registry
    try:
        lease = registry.leases.get(id(response))
        return lease if lease is not None and lease() is response else None
    except Exception as error:
        registry.give_up(None, "http.client", error)
        return None


def _read_next_chunk_size(wrapped: Method) -> Method:
    """A chunk begins: see `HttpClient.bytes_read`."""

    def _read_next_chunk_size(self: Any) -> Any:
        size = wrapped(self)
        lease = _lease_of(self)
        if lease is not None:
            lease.uncounted += size
        return size

    return _read_next_chunk_size


def _read(wrapped: Method) -> Method:
    """A read of a body without a length, which http.client does not count."""

    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.length is not None or self.chunked:
            return wrapped(self, *args, **kwargs)
        lease = _lease_of(self)
        before = 0 if lease is None else lease.uncounted
        data = wrapped(self, *args, **kwargs)
        if lease is not None:
            # Not added: one may call another.
            lease.uncounted = before + (data if type(data) is int else len(data))
        return data

    return read
