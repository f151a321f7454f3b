"""What a run of a service prints."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from rich.table import Table

from ._output import console
from ._soak_memory import RULE, is_flat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ._soak_run import Result

_MIB: Final = 1024 * 1024
_WORDS: Final = {True: "flat", False: "not flat", None: "too short to tell"}


def show(result: Result, name: str, folder: Path) -> bool:
    """Print it; whether all is right. Then the files of the run go.

    Args:
        result: Of the run.
        name: Of the service.
        folder: Its files.
    """
    if result.interrupted:
        console.print("Interrupted: this is what was done until then.")
    console.print(
        f"{name}: {result.requests:,} requests in {result.seconds:,.0f} s, "
        f"{result.processes:,} processes"
    )
    faults = [f"{count:,} {what}" for what, count in sorted(result.injected.items())]
    console.print("Injected:", ", ".join(faults) or "nothing")
    _show_lines(result)
    _show_memory(result)
    for what, count in result.failed.items():
        console.print(f"{count:,} x {what}", markup=False)
    wrong = result.faults
    if wrong:
        console.print("Not right:", ", ".join(wrong))
        console.print(f"The files of the run are in {folder}")
        return False
    leaks = sum(row.made for row in result.rows)
    console.print(f"Every leak counted to the one: {leaks:,}, and no other.")
    shutil.rmtree(folder)
    return True


def _show_lines(result: Result) -> None:
    table = Table(title="Leaks", title_justify="left")
    for column in ("kind", "line", "name"):
        table.add_column(column)
    for column in ("leaked", "in the log", "missed", "false", "closed after all"):
        table.add_column(column, justify="right")
    for row in result.rows:
        table.add_row(
            row.kind,
            row.place,
            row.name,
            f"{row.made:,}",
            f"{row.told:,}",
            f"{row.missed:,}" if row.missed else "",
            f"{row.false:,}" if row.false else "",
            f"{row.told_resolved:,} of {row.made_resolved:,}",
        )
    console.print(table)


def _show_memory(result: Result) -> None:
    table = Table(title=f"Memory by tenths of the time ({RULE})", title_justify="left")
    table.add_column("")
    for tenth in range(1, len(result.resident) + 1):
        table.add_column(str(tenth), justify="right")
    table.add_column("")
    lines: tuple[tuple[str, Sequence[float | None], float], ...] = (
        ("largest process, MiB", result.resident, _MIB),
        ("items httpguard keeps", result.kept, 1),
    )
    for name, sizes, unit in lines:
        cells = ["" if size is None else f"{size / unit:,.0f}" for size in sizes]
        table.add_row(name, *cells, _WORDS[is_flat(sizes) if result.is_long else None])
    console.print(table)
