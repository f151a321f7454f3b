"""A service leaks at known lines; httpguard's log has to have each of its leaks.

The service runs as it would in production: worker processes that are forked, replaced
and reloaded. Ten of its lines leak, at known rates; many more do not, and run far more
often. Meanwhile its server resets connections, or does not answer, names have no
address, and the wall clock jumps. The service writes down what it leaks as it does so.
At the end that is compared with the log, line by line: every leak has to be there, to
the one, and no other; and memory has to stay flat. Then the exit code is 0, else 1.
Processes that are killed (SIGKILL) are no part of it.

Run: ``python -m benchmarks.soak SERVICE [--requests N] [--seconds S] [--seed N]
[--json FILE]``, where SERVICE is one of gunicorn-gevent, gunicorn-threads, celery and
asyncio. Ctrl-C ends it with a report of what was done.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ._output import parser, write
from ._soak_report import show
from ._soak_run import Plan, run

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from .services.running import Service

SERVICES: Final = {
    "gunicorn-gevent": ("gunicorn_service", "GunicornGevent"),
    "gunicorn-threads": ("gunicorn_service", "GunicornThreads"),
    "celery": ("celery_service", "Celery"),
    "asyncio": ("asyncio_service", "Asyncio"),
}
# One round of a service: each of its lines runs.
_LEAST: Final = 200
_REQUESTS: Final = 20_000
_QUICK: Final = 4_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a service, and say what its log has of its leaks.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("service", choices=SERVICES, metavar="SERVICE")
    made.add_argument(
        "--requests", type=int, metavar="N", help=f"about; {_REQUESTS:,} if not given"
    )
    made.add_argument("--seconds", type=float, metavar="S", help="no longer than this")
    made.add_argument("--seed", type=int, default=1, metavar="N", help="of the order")
    options = made.parse_args(arguments)
    plan = _plan(made, options)
    service = service_of(options.service)
    missing = [name for name in service.packages if find_spec(name) is None]
    if missing:
        made.error(
            f"{options.service} needs {' and '.join(missing)}, which is not installed: "
            "pip install -r benchmarks/requirements.txt"
        )
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    result = run(service, plan, folder)
    is_right = show(result, options.service, folder)
    figures: dict[str, Any] = {**asdict(result), "right": is_right}
    write(options.json, {"service": options.service, **figures})
    sys.exit(0 if is_right else 1)


def service_of(name: str) -> type[Service]:
    """The class of a service, by its name on the command line."""
    module, kind = SERVICES[name]
    found: type[Service] = getattr(
        import_module(f".services.{module}", __package__), kind
    )
    return found


def _plan(made: ArgumentParser, options: Namespace) -> Plan:
    """What was asked for; an error where it makes no sense."""
    requests = options.requests
    if requests is None:
        requests = _QUICK if options.quick else _REQUESTS
    if requests < _LEAST:
        made.error(f"--requests: {requests:,} is not {_LEAST:,} or more")
    if options.seconds is not None and not options.seconds > 0:
        made.error(f"--seconds: {options.seconds:g} is not more than 0")
    return Plan(requests, options.seconds, options.seed)


if __name__ == "__main__":
    main()
