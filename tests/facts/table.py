"""What really happens: the facts that docs/what-really-happens.md shows.

Each cell is measured by `test_what_really_happens.py`. After a change here, run
``python -m tests.facts``, which puts the table into that page.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from ._async import Aiohttp, AsyncHttpx
from ._drivers import Driver, HttpClient, Httpx, Requests, Urllib3, Urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = (
    "urllib3",
    "requests",
    "httpx, httpx2",
    "aiohttp",
    "http.client",
    "urllib.request",
)
LOST: Final = "closed, slot lost"
KEPT: Final = "open, slot lost"
FAILS: Final = "open, next request fails"
COLLECTED: Final = "closed by the collector, warns"
FACTS: Final[dict[str, tuple[str, str, str, str, str, str]]] = {
    "read to its end": ("back", "back", "back", "back", "back", "closed"),
    "unread, dropped": (LOST, LOST, KEPT, KEPT, KEPT, "closed"),
    "unread, dropped; 10 bytes": (LOST, LOST, KEPT, "back", KEPT, "closed"),
    "unread, dropped; HEAD": (LOST, LOST, KEPT, "back", KEPT, "closed"),
    "unread, dropped; 204": (LOST, LOST, KEPT, "back", KEPT, "closed"),
    "half read, dropped": (LOST, LOST, "closed", KEPT, KEPT, "closed"),
    "last byte read, not the end; dropped": (
        *("back", "back", "closed", "back", "back", "closed"),
    ),
    "last byte of the last chunk read; dropped": (
        *(LOST, "closed", "closed", "back", KEPT, "closed"),
    ),
    "unread, `close()`": (LOST, "closed", "closed", "closed", FAILS, "closed"),
    "unread, end of its `with`": (
        *(LOST, "closed", "closed", "closed", FAILS, "closed"),
    ),
    "unread, `release_conn()`, `release()`": (
        *("closed by the next request", "n/a", "n/a", "closed", "n/a", "n/a"),
    ),
    "a read times out, kept": (
        *("closed, raises", "closed, raises", "closed, raises", "closed, raises"),
        *("open, slot lost, raises", "open, raises"),
    ),
    "the server hangs up, kept": (
        *("closed, raises", "closed, raises", "closed, raises", "closed, raises"),
        *("open, next request fails, raises", "closed, raises"),
    ),
    "redirect of 2 MB followed, then read": (
        *("back", "back", "back", "closed", "n/a", "closed"),
    ),
    "unread, dropped with its client": (
        *("closed", "closed", COLLECTED, COLLECTED, "closed, warns", "closed"),
    ),
}
# Where one of a column is unlike the others.
UNLIKE: Final[dict[tuple[str, str], str]] = {
    ("the server hangs up, kept", "requests on urllib3 1.26"): (
        "closed by the next request, no error"
    ),
    ("unread, dropped with its client", "httpx2.Client"): "closed, warns",
}


@dataclass(frozen=True)
class Subject:
    """One client of a version, as a column has it."""

    name: str
    column: int
    module: str
    driver: type[Driver]

    def expected(self, ending: str) -> str:
        """The cell."""
        return UNLIKE.get((ending, self.name), FACTS[ending][self.column])


def _urllib3() -> str:
    """The version that is installed, as the page names it; else nothing."""
    version = str(getattr(import_module("urllib3"), "__version__", ""))
    if version.startswith("1.26."):
        return "1.26"
    # urllib3-future, which takes the name, has patch numbers from 900 on.
    return "2.x" if int(version.split(".")[2]) < 900 else ""


def subjects() -> Iterator[Subject]:
    """What is installed here."""
    if version := _urllib3():
        yield Subject(f"urllib3 {version}", 0, "urllib3", Urllib3)
        yield Subject(f"requests on urllib3 {version}", 1, "requests", Requests)
    for name in ("httpx", "httpx2"):
        if find_spec(name) is not None:
            yield Subject(f"{name}.Client", 2, name, Httpx)
            yield Subject(f"{name}.AsyncClient", 2, name, AsyncHttpx)
    if find_spec("aiohttp") is not None:
        yield Subject("aiohttp", 3, "aiohttp", Aiohttp)
    yield Subject("http.client", 4, "http.client", HttpClient)
    yield Subject("urllib.request", 5, "urllib.request", Urlopen)


def lines() -> list[str]:
    """The table of the page, in Markdown."""
    rows = [("", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
    for ending, cells in FACTS.items():
        row = list(cells)
        for (where, name), cell in UNLIKE.items():
            if where == ending:
                row[_column(name)] += f"; {name}: {cell}"
        rows.append((ending, *row))
    return ["| " + " | ".join(row) + " |" for row in rows]


def _column(name: str) -> int:
    """Of a subject, by its name."""
    first = name.replace("2.", ".").split(".")[0].split(" ")[0]
    return next(n for n, column in enumerate(COLUMNS) if column.startswith(first))
