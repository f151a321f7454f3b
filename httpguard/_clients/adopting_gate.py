"""The side of the gate that what was there before goes through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._leases.adoption import adopt, adopt_session

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._leases.client import Client
    from .._leases.lease import Lease
    from .._leases.registry import Registry
    from .._pools.kind import PoolKind
    from .._pools.pool import PoolRef
    from .guard import Guard


class Adopting:
    """Implements a part of `Leases`; see `Gate`."""

    __slots__ = ()

    if TYPE_CHECKING:
        guard: Guard | None
        registry: Registry

        def pool(self, pool: object, kind: PoolKind) -> PoolRef | None: ...

        def fault(self, where: str, error: Exception) -> None: ...

    def adopt(
        self,
        client: Client,
        response: Any,
        connection: object,
        pool: PoolRef | None,
        **facts: Any,
    ) -> Lease | None:
        """See `Leases`."""
        if self.guard is None or pool is None:
            return None
        try:
            return adopt(self.registry, client, response, connection, pool, **facts)
        except Exception as error:
            self.fault("adopt", error)
            return None

    def adopt_session(
        self,
        session: Any,
        client: Client,
        pools: Iterable[tuple[object, PoolKind]],
        *,
        claims: bool = True,
    ) -> None:
        """See `Leases`."""
        if self.guard is None or not self.guard.judges_sessions:
            return
        try:
            met = [self.pool(pool, kind) for pool, kind in pools]
            known = [pool for pool in met if pool is not None]
            adopt_session(self.registry, session, client, known, claims=claims)
        except Exception as error:
            self.fault("adopt", error)
