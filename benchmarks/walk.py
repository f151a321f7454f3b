"""The way of a leak through httpguard's files, from ``urlopen`` to the log line.

A hop is a Python function of httpguard that is entered; calls in C are not seen. A
room is a file, a move is a hop into another file, a return is a move into a file that
was left before. The first leak is a warm-up, so that imports and what is done once do
not count; the second, at another line, is walked.

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
            hops = _walked(checkout, url)
            found = _figures(hops)
            if not table.columns:
                for column in ("", *found):
                    table.add_column(column, justify="right")
            table.add_row(name, *map(str, found.values()))
            written.update({name: found} if name else found)
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
    print(json.dumps(walk.hops))


class _Walk(logging.Handler):
    """Notes each hop until the log line is there.

    Args:
        root: The folder of the package.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self.hops: list[Hop] = []
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
        """The end of the way."""
        sys.setprofile(None)


def _walked(checkout: Path, url: str) -> list[Hop]:
    """The way in a checkout."""
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(checkout), str(_HERE), url],
        cwd=os.path.sep,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [(room, name) for room, name in json.loads(done.stdout)]


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
