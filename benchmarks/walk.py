"""The way of a leak through httpguard's files, from ``urlopen`` to the log line.

A second row goes on to the end of ``check()``, which returns a snapshot. A hop is a
Python function of httpguard that is entered; calls in C are not seen. A room is a file,
a move is a hop into another file, a return is a move into a file that was left before.
The first leak is a warm-up, so that imports and what is done once do not count; the
second, at another line, is walked.

Run: ``python -m benchmarks.walk [--path] [--beside CHECKOUT] [--json FILE]``
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from ._loopback import loopback_server
from ._output import console, parser, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    Hop = tuple[str, str]

_HERE: Final = Path(__file__).parent.parent
_ALONE: Final = """\
import sys
sys.path.insert(0, sys.argv[1])
import httpguard
sys.path[0] = sys.argv[2]
from benchmarks.walk import print_hops
print_hops(sys.argv[3])
"""


def main() -> None:
    """Walk, and say the figures."""
    made = parser(__doc__)
    made.add_argument("--path", action="store_true", help="print each hop")
    made.add_argument(
        "--beside", type=Path, metavar="CHECKOUT", help="walk that one too"
    )
    options = made.parse_args()
    checkouts = [_HERE]
    if options.beside is not None:
        checkouts.append(options.beside.resolve())
    table = Table(title="The way of a leak, from urlopen to the log line")
    written: dict[str, Any] = {}
    with loopback_server() as url:
        for name, checkout in zip(("", "beside"), checkouts, strict=False):
            hops, logged = _walked(checkout, url)
            ways = {"to the log line": hops[:logged], "to the end": hops}
            for end, way in ways.items():
                found = _figures(way)
                if not table.columns:
                    for column in ("", *found):
                        table.add_column(column, justify="right")
                title = f"{end}, {name}" if name else end
                table.add_row(title, *map(str, found.values()))
                written[title] = found
            if options.path:
                _print_path(hops)
    console.print(table)
    write(options.json, {"walk": written})


def print_hops(url: str) -> None:
    """Print the way as JSON, in a process of its own.

    Args:
        url: Answers with a body.
    """
    import requests

    import httpguard

    walk = _Walk(os.path.dirname(httpguard.__file__))
    logging.getLogger("httpguard").addHandler(logging.NullHandler())
    httpguard.install(check_interval=60)
    session = requests.Session()
    session.get(url, stream=True)
    httpguard.check()
    logging.getLogger("httpguard").addHandler(walk)
    sys.setprofile(walk.profile)
    session.get(url, stream=True)
    httpguard.check()
    sys.setprofile(None)
    print(json.dumps([walk.hops, walk.logged]))


class _Walk(logging.Handler):
    """Notes each hop, and how many there were before the log line.

    Args:
        root: The folder of the package.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self.hops: list[Hop] = []
        self.logged = 0
        self._root = root

    def profile(self, frame: FrameType, event: str, _: Any) -> None:
        """As of `sys.setprofile`."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(self._root):
            return
        if code.co_name.startswith("<"):
            return  # A comprehension.
        hop = os.path.relpath(code.co_filename, self._root), code.co_name
        if self.hops[-1:] != [hop]:
            self.hops.append(hop)

    def emit(self, _: logging.LogRecord) -> None:
        """The log line is there."""
        self.logged = len(self.hops)


def _walked(checkout: Path, url: str) -> tuple[list[Hop], int]:
    """The way in a checkout, and how many hops of it come before the log line."""
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(checkout), str(_HERE), url],
        cwd=os.path.sep,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    hops, logged = json.loads(done.stdout)
    return [(room, name) for room, name in hops], logged


def _figures(hops: Sequence[Hop]) -> dict[str, int]:
    """Hops, rooms, moves and returns of a way."""
    rooms = [room for room, _ in hops]
    entered = [
        here for last, here in zip(["", *rooms], rooms, strict=False) if here != last
    ]
    return {
        "hops": len(hops),
        "rooms": len({*rooms}),
        "moves": len(entered) - 1,
        "returns": len(entered) - len({*rooms}),
    }


def _print_path(hops: Sequence[Hop]) -> None:
    last = ""
    for room, name in hops:
        print(f" > {name}" if room == last else f"\n{room}: {name}", end="")
        last = room
    print("\n")


if __name__ == "__main__":
    main()
