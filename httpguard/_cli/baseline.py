"""`httpguard baseline`: look after a file of known leaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._baseline.baseline import Baseline
from .._baseline.place import ANYWHERE
from .._model.errors import BaselineError
from .baseline_sources import read_source
from .help import PlainCommand, PlainGroup
from .project import baseline as baseline_of_project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._baseline.file import Entry
    from .baseline_sources import Source

_File = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]",
        help="The baseline. May be left out where `pyproject.toml` names it.",
        show_default=False,
    ),
]
_SOURCES_HELP: Final = (
    "Logs of JSON lines (`.gz` too, `-`: standard input), or other baselines."
)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=PlainGroup,
        rich_markup_mode="markdown",
        no_args_is_help=True,
        help="Look after a baseline: the known leaks of an old code base.",
        epilog="`pytest --httpguard --httpguard-baseline FILE` tolerates what is in "
        "the file and fails for what is new; so do `httpguard run` and "
        "`httpguard report`. Keep the file under version control.",
    )
    group.command("show", cls=PlainCommand)(show)
    group.command("update", cls=PlainCommand)(update)
    group.command("prune", cls=PlainCommand)(prune)
    app.add_typer(group, name="baseline")


def show(file: _File = None) -> None:
    """List the known leaks, and those whose line is no longer in its file."""
    file = file or baseline_of_project()
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    baseline = _load(file)
    table = Table("kind", "place", "line", "note", title_justify="left")
    gone = set(_gone(baseline))
    for entry in baseline.entries:
        note = "gone" if entry in gone else ""
        table.add_row(
            entry.kind,
            Text(f"{entry.file} in {entry.function}"),
            Text(entry.source),
            Text("; ".join(filter(None, (note, entry.note)))),
        )
    Console().print(table)
    typer.echo(f"{_count(len(baseline.entries))} in {file}, {len(gone)} of them gone")


def update(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILE] SOURCE...",
            help="The baseline, which may be left out before a single source where"
            f" `pyproject.toml` names it. {_SOURCES_HELP}",
            show_default=False,
        ),
    ],
    *,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take out what no source has.")
    ] = False,
) -> None:
    """Add the leaks of logs or of other baselines; make the file if need be."""
    file, *sources = names if len(names) > 1 else [baseline_of_project(), *names]
    before = (
        _load(file)
        if os.path.exists(file)
        else Baseline((), os.path.dirname(os.path.abspath(file)))
    )
    read = _read(sources)
    _tell_foreign(read, refuse=prune)
    after = before.without(_unused(before, read)) if prune else before
    for source in read:
        if source.baseline is not None:
            after = after.merged(source.baseline)
        else:
            new = before.split(source.places).new
            after = after.merged(Baseline.of(new, before.root))
    _save(before, after, file)


def prune(
    file: _File = None,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help=_SOURCES_HELP, show_default=False),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; change nothing.")
    ] = False,
) -> None:
    """Take out what is fixed.

    Without sources: entries whose line is no longer in its file. With sources, of
    runs that use the whole program: entries that none of them has.
    """
    file = file or baseline_of_project()
    before = _load(file)
    read = _read(sources or ())
    _tell_foreign(read, refuse=True)
    fixed = _unused(before, read) if sources else _gone(before)
    for entry in fixed:
        typer.echo(f"- {entry.kind} {entry.file} in {entry.function}: {entry.source}")
    if dry_run:
        typer.echo(f"{_count(len(fixed))} would be taken out of {file}")
        return
    _save(before, before.without(fixed), file)


def _load(file: str) -> Baseline:
    try:
        return Baseline.load(file)
    except BaselineError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error


def _read(names: Iterable[str]) -> list[Source]:
    read = []
    for name in names:
        try:
            source = read_source(name)
        except BaselineError as error:
            raise typer.BadParameter(str(error), param_hint="SOURCE") from error
        if source.damaged:
            lines = "line" if source.damaged == 1 else "lines"
            typer.echo(f"{name}: {source.damaged} damaged {lines}", err=True)
        read.append(source)
    return read


def _tell_foreign(sources: Iterable[Source], *, refuse: bool) -> None:
    """Say which sources have no line of httpguard.

    Args:
        sources: What was read.
        refuse: That something is not in them says nothing.

    Raises:
        BadParameter: There is one, and it is refused.
    """
    for source in sources:
        if source.foreign:
            told = f"no line of httpguard in {source.name}"
            if refuse:
                raise typer.BadParameter(
                    f"{told}: nothing was taken out for want of it",
                    param_hint="SOURCE",
                )
            typer.echo(told, err=True)


def _unused(baseline: Baseline, sources: Iterable[Source]) -> list[Entry]:
    unused = set(baseline.entries)
    for source in sources:
        if source.baseline is None:
            unused &= set(baseline.split(source.places).fixed)
        else:
            rebased = Baseline((), baseline.root).merged(source.baseline)
            unused -= set(rebased.entries)
    return [entry for entry in baseline.entries if entry in unused]


def _gone(baseline: Baseline) -> list[Entry]:
    return [entry for entry in baseline.entries if not _is_there(baseline, entry)]


def _is_there(baseline: Baseline, entry: Entry) -> bool:
    """Whether a file still has an entry's line; of installed ones, yes."""
    if entry.file.startswith(ANYWHERE):
        return True
    try:
        with open(baseline.path_of(entry), encoding="utf-8", errors="replace") as file:
            lines = {line.strip()[: len(entry.source)] for line in file}
    except OSError:
        return False
    return not entry.source or entry.source in lines


def _save(before: Baseline, after: Baseline, file: str) -> None:
    try:
        after.save(file)
    except BaselineError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    old, new = set(before.entries), set(after.entries)
    typer.echo(
        f"{_count(len(new))} in {file}: {len(new - old)} added, "
        f"{len(old - new)} taken out"
    )


def _count(number: int) -> str:
    return f"{number} known leak" if number == 1 else f"{number} known leaks"
