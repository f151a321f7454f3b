"""docker's SDK: it ends a stream by the socket below, and never closes the response.

Where the server keeps the connection, a look at that one's socket tells. Else
http.client has closed that itself, and nothing tells afterwards who did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .gate import GATE

if TYPE_CHECKING:
    from .patching import Method, Patcher

DOCKER: Final = "docker.types.daemon"


def patch_docker(patcher: Patcher) -> None:
    """See what ``CancellableStream.close`` closes."""
    from docker.types.daemon import CancellableStream

    def close(wrapped: Method) -> Method:
        def close(self: Any) -> None:
            wrapped(self)
            try:
                raw = self._response.raw
                lease = GATE.registry.get(raw._connection, raw)
                if lease is not None and lease.closed is None:
                    lease.closed = GATE.registry.clock()
            except Exception as error:
                GATE.fault("docker", error)

        return close

    patcher.wrap(CancellableStream, "close", close)
