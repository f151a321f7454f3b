"""How many of the catalogue's leaking programs are spoken of, and by whom.

Each program runs once without httpguard, plain, with asyncio's debug mode, with
``-X dev``, which has that too, and with ``tracemalloc`` in addition, and once with
httpguard. *Alive*: something is said while what the
program returned is alive, as in a service; *end*: when it is let go. *Line*: the line
that opened the response is named.

Run: ``python -m benchmarks.recall [--only CLIENT] [--json FILE]``. Five minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.server import Server

from ._output import console, parser, progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROOT: Final = Path(__file__).resolve().parent.parent
_CLIENTS: Final = ("httpx", "aiohttp", "stdlib")
_DEBUG: Final = "PYTHONASYNCIODEBUG=1"
_MODES: Final[dict[str, tuple[str, ...]]] = {
    "plain": (),
    _DEBUG: (),
    "-X dev": ("-X", "dev"),
    "and tracemalloc": ("-X", "dev", "-X", "tracemalloc=25"),
    "httpguard": (),
}
_COLUMNS: Final = ("alive", "alive, line", "end", "end, line")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print and write.

    Args:
        arguments: Of the command line.
    """
    made = parser(__doc__)
    made.add_argument("--only", choices=_CLIENTS)
    options = made.parse_args(arguments)
    clients = [options.only] if options.only else list(_CLIENTS)
    table = Table(title="Leaking programs that are spoken of", title_justify="left")
    for column in ("client", "programs", "mode", *_COLUMNS):
        table.add_column(column, justify="right")
    figures = []
    with Server() as server, progress("runs", len(clients) * len(_MODES)) as advance:
        for client in clients:
            for mode, words in _MODES.items():
                found = _run(client, mode, words, server)
                counts = {name: sum(one[name] for one in found) for name in _COLUMNS}
                figures.append(
                    {"client": client, "programs": len(found), "mode": mode, **counts}
                )
                values = (str(count) for count in counts.values())
                table.add_row(client, str(len(found)), mode, *values)
                advance()
    console.print(table)
    write(options.json, {"recall": figures})


def _run(
    client: str, mode: str, words: tuple[str, ...], server: Server
) -> list[dict[str, bool]]:
    guarded = "yes" if mode == "httpguard" else "no"
    done = subprocess.run(
        [
            *(sys.executable, *words, "-m", "benchmarks._recalled", client),
            *(server.host, str(server.port), guarded),
        ],
        cwd=_ROOT,
        env=dict(os.environ, PYTHONASYNCIODEBUG="1" if mode == _DEBUG else ""),
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: list[dict[str, bool]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
