"""The long run: ``python -m tests.model --steps 50000``.

Exits with 1 if the guard and the model did not agree on every program.
"""

from __future__ import annotations

import argparse
import platform
import secrets
import sys
import traceback
from collections import Counter
from importlib.metadata import version

from tests.server import Server

from ._run import figures, run_programs
from ._tasks import SIDES

_PROGRAMS = 250
_LENGTH = 60


def main() -> int:
    """Run batches of programs until enough steps were taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000, help="at least so many")
    parser.add_argument(
        "--seed", type=int, help="of the first batch; as printed by the run to repeat"
    )
    parser.add_argument("--client", choices=SIDES, help="programs of coroutines")
    arguments = parser.parse_args()
    seed = secrets.randbelow(10**6) if arguments.seed is None else arguments.seed
    _say(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"urllib3 {version('urllib3')}, requests {version('requests')}, seed {seed}"
    )
    total: Counter[str] = Counter()
    total["differences"] = 0
    with Server() as server:
        while total["steps"] < arguments.steps:
            try:
                run_programs(
                    server,
                    programs=_PROGRAMS,
                    length=_LENGTH,
                    seed=seed,
                    client=arguments.client,
                )
            except Exception:  # Whatever it is, the next batch may find another one.
                total["differences"] += 1
                _say(f"seed {seed}:\n{traceback.format_exc()}")
            total.update(figures())
            seed += 1
    differences = total["differences"]
    for name in ("programs", "steps", "comparisons", "differences"):
        _say(f"{name:12} {total.pop(name):>9,}")
    _say("of these: " + ", ".join(f"{k} {v:,}" for k, v in sorted(total.items())))
    return 1 if differences else 0


def _say(text: str) -> None:
    """Print at once, for whoever watches a log."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
