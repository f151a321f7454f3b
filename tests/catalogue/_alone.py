"""Runs one case in this process: ``python -m tests.catalogue._alone NAME HOST PORT``.

Under gevent, as such programs are: patched before anything else is imported.
Prints the leaks as JSON. It knows only httpguard's public interface.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import gc  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from importlib import import_module  # noqa: E402

import httpguard  # noqa: E402
from tests.server import Address  # noqa: E402

_MAX_IDLE = 0.2


def main(name: str, host: str, port: str) -> None:
    """Run the case, let it grow old, and print what was found."""
    httpguard.install(check_interval=0, max_idle=_MAX_IDLE)
    module, _, function = name.partition(".")
    program = getattr(import_module(f"tests.catalogue.{module}"), function)
    kept = program(Address(host, int(port)))
    # The hub lets go of greenlets that ended when it has its turn.
    time.sleep(0.001)
    gc.collect()
    httpguard.check()
    # The public interface takes no clock of ours.
    time.sleep(_MAX_IDLE * 1.5)
    gc.collect()
    leaks = httpguard.check().to_dict()["leaks"]
    del kept
    sys.stdout.write(json.dumps(leaks))


if __name__ == "__main__":
    main(*sys.argv[1:])
