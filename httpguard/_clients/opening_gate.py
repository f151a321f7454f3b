"""What a client's wrappers call as a response is handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._leases.opening import begin
from .._model.errors import LeakError
from .._model.plain import as_text
from .._model.scope import CURRENT_SCOPE
from .._stacks.raw import CUT
from .losing import note_retries
from .pool_gate import PoolGate
from .urllib3 import compiled

if TYPE_CHECKING:
    from types import FrameType

    from .._leases.client import Client
    from .._leases.registry import Registry
    from .._pools.pool import PoolRef
    from .._stacks.raw import RawStack


class OpeningGate(PoolGate):
    """A part of `Gate`."""

    __slots__ = ()

    def begin(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        *,
        method: Any,
        url: Any,
        status: int,
        length: int | None,
        frame: FrameType,
        reading: bool = False,
        site: RawStack | None = None,
        held: object = None,
    ) -> None:
        """The application is given a response that holds a connection.

        In strict mode, raises `LeakError` where it is one more than ``max_open``.

        Args:
            response: Weak-referenceable.
            connection: Its identity is the key of the lease until that ends.
            pool: What `pool` returned.
            url: Absolute, or a path of the pool.
            length: The bytes that the server announced; None: unknown.
            frame: The innermost frame to keep.
            reading: The client itself is about to read the body.
            site: Of a task, the frames from the call out to the application's line,
                where these are known; empty: it has none near by.
            held: What it has of the pool, where that is not the connection.
        """
        registry = self.registry
        if self.guard is None or pool is None:
            return
        try:
            address = url if type(url) is str else as_text(url)
            if registry.leases:
                note_retries(registry, address, frame)
            bytes_read = client.bytes_read(response)
            if held is None:
                held = connection
            if (
                compiled.open_lease is not None
                and registry.swift is not None
                and compiled.open_lease(
                    registry.swift,
                    client,
                    response,
                    connection,
                    held,
                    pool,
                    method,
                    address,
                    status,
                    length,
                    bytes_read,
                    reading,
                    frame if site is None else site,
                    client.is_async,
                )
            ):
                return
            if site is None:
                site = compiled.near_site(registry.origins, frame)
            stack = _brief(registry, site)
            if not stack and client.is_async:
                stack = self.task_stack(frame, site)
            begin(
                registry,
                client,
                response,
                connection,
                pool,
                method,
                address,
                status,
                length,
                bytes_read,
                frame,
                reading,
                stack=stack or None,
                held=held,
            )
        except LeakError:
            raise
        except Exception as error:
            self.fault("begin", error)


def _brief(registry: Registry, site: RawStack) -> RawStack:
    """A site alone, where that is enough: its responses have always ended well.

    Empty where the whole stack is to be kept.
    """
    if (
        site
        and registry.plain
        and id(site[-2]) + site[-1] in registry.proven  # type: ignore[operator]
        and CURRENT_SCOPE.get() is None
    ):
        return (*site, CUT, 0)
    return ()
