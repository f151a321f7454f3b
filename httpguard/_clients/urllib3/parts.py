"""Whether a urllib3 is one that we know: another one may stand in its place."""

from __future__ import annotations

import io
from importlib import import_module

from ..._stacks.raw import code_of

# Attributes of a response by which its end and its progress are seen.
_ATTRIBUTES = frozenset({"_connection", "_fp", "_fp_bytes_read", "length_remaining"})


def unknown_part(package: str) -> str:
    """What is not as in urllib3 1.26 and 2.x; empty: nothing.

    Args:
        package: urllib3, or a copy of it.
    """
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
