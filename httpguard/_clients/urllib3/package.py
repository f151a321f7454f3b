"""urllib3 and copies of it: what is patched, and what is taken in."""

from __future__ import annotations

import io
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..._stacks.raw import code_of
from ..gate import GATE
from ..patching import LeftAloneError, Package, is_wrapped
from .callers import CODES
from .mocks import holds_real_connection
from .pools import POOLS

if TYPE_CHECKING:
    from ..patching import Adopters, Patcher
    from .callers import Codes
    from .client import Urllib3

# Attributes of a response by which its end and its progress are seen.
_ATTRIBUTES: Final = frozenset(
    {"_connection", "_fp", "_fp_bytes_read", "length_remaining"}
)


def urllib3_package(codes: Codes) -> Package:
    name = codes.urllib3.name
    return Package(
        name,
        # Where imports are lazy, the one is half imported as the other is there.
        (f"{name}.connectionpool", f"{name}.poolmanager"),
        (name,),
        partial(_patch, codes=codes),
        partial(_adopters, codes),
    )


def _patch(patcher: Patcher, *, codes: Codes) -> None:
    from . import managers, pools, responses

    name = codes.urllib3.name
    if not is_itself(f"{name}.connectionpool"):
        return  # Another name of one that is guarded.
    managers_module = sys.modules.get(f"{name}.poolmanager")
    if managers_module and not hasattr(managers_module, "PoolManager"):
        return  # We are called again.
    unknown = _unknown_part(name)
    if unknown:
        # requests on top of it is left alone too.
        raise LeftAloneError(unknown)
    responses.patch(patcher, codes)
    pools.patch(patcher, name)
    managers.patch(patcher, codes)


def _unknown_part(package: str) -> str:
    """What is not as in urllib3 1.26 and 2.x; empty: nothing."""
    urllib3, connectionpool, poolmanager, response = (
        import_module(f"{package}{name}")
        for name in ("", ".connectionpool", ".poolmanager", ".response")
    )
    HTTPConnectionPool = connectionpool.HTTPConnectionPool  # noqa: N806
    PoolManager, HTTPResponse = poolmanager.PoolManager, response.HTTPResponse  # noqa: N806
    # The package itself may be half imported.
    if any(hasattr(one, "ResponsePromise") for one in (urllib3, connectionpool)):
        return "urllib3-future is in the place of urllib3"
    expected = {
        HTTPConnectionPool: ("urlopen", "_get_conn", "_put_conn", "close"),
        PoolManager: ("urlopen", "_new_pool", "clear"),
        HTTPResponse: ("close", "release_conn", "__init__"),
    }
    for owner, names in expected.items():
        for name in names:
            if name not in vars(owner):
                return f"{owner.__name__} has no {name} of its own"
    if not issubclass(HTTPResponse, io.IOBase):
        return "HTTPResponse is no io.IOBase"
    code = code_of(HTTPResponse.__dict__["__init__"])
    missing = _ATTRIBUTES - set(code.co_names if code else _ATTRIBUTES)
    return f"HTTPResponse has no {min(missing)}" if missing else ""


def is_itself(module: str) -> bool:
    """Whether a module that was imported bears its own name."""
    return getattr(sys.modules.get(module), "__name__", None) == module


def _adopters(codes: Codes) -> Adopters:
    client = codes.urllib3
    module = sys.modules.get(f"{client.name}.connectionpool")
    pool = getattr(module, "HTTPConnectionPool", None)
    if pool is None or not is_wrapped(pool._put_conn):
        return {}
    return {
        pool: _adopt_pool,
        sys.modules[f"{client.name}.response"].HTTPResponse: partial(
            adopt_response, client=client
        ),
        sys.modules[f"{client.name}.poolmanager"].PoolManager: partial(
            _adopt_manager, client=client
        ),
    }


def adopt_response(
    response: Any, client: Urllib3, method: Any = None, url: Any = None
) -> None:
    """A response of urllib3; method and URL as given, or as it has them."""
    if not holds_real_connection(response) or response._pool is None:
        return
    below = response._original_response
    left = response.length_remaining
    GATE.adopt(
        client,
        response,
        response._connection,
        GATE.pool(response._pool, POOLS),
        method=method or getattr(below, "_method", None) or "",
        url=url or response._request_url or "",
        status=response.status,
        length=None if left is None else left + response._fp_bytes_read,
        taken=response._connection,
    )


def pools_of(manager: Any) -> list[Any]:
    # Its own container locks; of a copy of what it has, none is asked for.
    container = getattr(getattr(manager, "pools", None), "_container", {})
    return list(container.values())


def _adopt_pool(pool: Any) -> None:
    if getattr(pool, "pool", None) is not None:
        GATE.pool(pool, POOLS)


def _adopt_manager(manager: Any, client: Urllib3) -> None:
    pools = [(pool, POOLS) for pool in pools_of(manager)]
    # It may be an adapter's of requests, and the session's then.
    GATE.adopt_session(manager, client, pools, claims=False)


PACKAGE: Final = urllib3_package(CODES)
