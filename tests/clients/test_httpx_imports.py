"""httpx, imported after `install`, in whatever order its parts come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import line_of, run, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server import Server

PROGRAM = """
import sys
import httpguard, wrapt
httpguard.install(check_interval=60)

@wrapt.when_imported("{part}")
def early(_):
    assert not hasattr(sys.modules["httpx"], "Client")
    import httpcore

import httpx
with httpx.Client() as client:
    client.send(client.build_request("GET", sys.argv[1]), stream=True)  # LEAK
    httpguard.check()
    snapshot = httpguard.check()
(leak,) = snapshot.leaks
print(leak.kind, leak.count, leak.client, leak.site.lineno)
print(snapshot.counters["errors"])
with httpguard.no_leaks():
    pass
"""


@pytest.mark.parametrize("part", ["httpx.__version__", "httpx._config"])
def test_httpcore_may_come_in_the_middle(
    tmp_path: Path, server: Server, part: str
) -> None:
    """As of httpx 0.27, whose transports import it at once."""
    source = PROGRAM.format(part=part)
    program = write(tmp_path / "program.py", source)
    done = run(program, server.url("/bytes/90000"))
    line = line_of(source, "# LEAK")
    assert done.stdout == f"dropped 1 httpx {line}\n0\n", done.stderr
    assert "stepped aside" not in done.stderr
