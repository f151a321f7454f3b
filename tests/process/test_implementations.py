"""Programs of the catalogue by the real clock: on PyPy, what is found there."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import pytest

from tests.catalogue import load
from tests.program import ROOT, run

if TYPE_CHECKING:
    from tests.server import Server

# As the log says there: a file object around the response is dropped with it.
NOT_ON_PYPY: Final = {"wrappers.gzip_file", "wrappers.xml_events"}


MODULES: Final = ("errors", "everyday", "requests_plain", "urllib3_plain", "wrappers")


@pytest.mark.parametrize("module", MODULES)
def test_programs(module: str, server: Server) -> None:
    done = run(
        *("-m", "tests.catalogue._in_turn", module, server.host, str(server.port)),
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) > 20
    cases = {case.name: case for case in load(module)}
    missed = NOT_ON_PYPY if sys.implementation.name == "pypy" else set()
    expected = {
        name: [
            [case.kind, case.filename, line, case.count]
            for line in case.lines
            if name not in missed
        ]
        for name, case in cases.items()
        if name in found
    }
    assert found == expected
