"""As `_counted`, of the requests of a client that is not urllib3.

Run by `benchmarks._client_instructions`: ``python -m benchmarks._counted_client VARIANT
CLIENT LOOPS``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from ._client_calls import OTEL, clients, opentelemetry
from ._counted import NEVER, Loops, count
from ._variants import CONTROL, GUARD, guard

if TYPE_CHECKING:
    from ._variants import Variant


def main() -> None:
    """Run the loops of one variant."""
    name, client, text = sys.argv[1:]
    loops = Loops(**json.loads(text))
    found: dict[str, Variant | None] = {
        CONTROL: contextlib.nullcontext,
        GUARD: partial(guard, check_interval=NEVER),
        OTEL: opentelemetry(client),
    }
    variant = found[name]
    if variant is None:
        raise SystemExit(f"{name} is not installed")
    with variant():
        for kind in clients()[client].values():
            with kind.opened() as many:
                count(many, loops)
        sys.stdout.flush()
        os._exit(0)  # What an exit costs is no part of it.


if __name__ == "__main__":
    main()
