"""A variant is what its name says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from benchmarks._variants import GUARD, INTERPRETED, own_variants
from httpguard._clients.urllib3.compiled import begin_lease
from httpguard._leases.opening import begin

if TYPE_CHECKING:
    from types import FrameType

    from tests.server import Server


@pytest.mark.parametrize("name", [GUARD, INTERPRETED])
def test_what_is_not_compiled_opens_leases_in_python(name: str, server: Server) -> None:
    url = server.url("/bytes/90000")
    entered = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        entered.append(event == "call" and frame.f_code is begin.__code__)

    with urllib3.PoolManager() as manager, own_variants()[name]():
        # The first one of a pool is opened in Python.
        manager.request("GET", url, preload_content=False).close()
        sys.setprofile(note)
        try:
            response = manager.request("GET", url, preload_content=False)
        finally:
            sys.setprofile(None)
        response.close()
    assert any(entered) == (name == INTERPRETED or begin_lease is None)
