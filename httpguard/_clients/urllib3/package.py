"""urllib3 and copies of it: what is patched, and what is taken in."""

from __future__ import annotations

import io
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from ..._stacks.raw import code_of
from ..patching import LeftAloneError, Package
from .callers import CODES

if TYPE_CHECKING:
    from ..patching import Adopters, Patcher
    from .callers import Codes

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


def _adopters(codes: Codes) -> Adopters:
    from .adopting import adopters

    return adopters(codes.urllib3)


def is_itself(module: str) -> bool:
    """Whether a module that was imported bears its own name."""
    return getattr(sys.modules.get(module), "__name__", None) == module


PACKAGE: Final = urllib3_package(CODES)
