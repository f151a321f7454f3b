"""`httpguard baseline`: look after a file of known leaks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .._baseline.baseline import Baseline
from .._baseline.file import ANYWHERE, place_of
from .._model.errors import BaselineError
from .._model.redaction import redact_within
from .._model.words import many
from .._report.counts import LogCounts
from .._report.inputs import STDIN, InputError, read
from .._report.sites import report_of
from .app import PlainCommand, PlainGroup
from .values import baseline_of_project

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._baseline.file import Entry, Place

    _Source = Baseline | dict[Place, None]
    """A baseline, or the leaks that a log has, each place once."""

_File = Annotated[
    str | None,
    typer.Argument(
        metavar="[FILE]",
        help="The baseline. May be left out where `pyproject.toml` names it.",
    ),
]
_SOURCES_HELP: Final = (
    "Logs of JSON lines (`.gz` too, `-`: standard input), or other baselines."
)


GROUP: Final = typer.Typer(
    cls=PlainGroup,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="Look after a baseline: the known leaks of an old code base.",
    epilog="`pytest --httpguard --httpguard-baseline FILE` tolerates what is in the"
    " file and fails for what is new; so do `httpguard run` and `httpguard report`."
    " Keep the file under version control.",
)


@GROUP.command(cls=PlainCommand)
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
    known = many(len(baseline.entries), "known leak")
    typer.echo(f"{known} in {file}, {len(gone)} of them gone")


@GROUP.command(cls=PlainCommand)
def update(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[FILE] SOURCE...",
            help="The baseline, which may be left out before a single source where"
            f" `pyproject.toml` names it. {_SOURCES_HELP}",
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
    found = _read(sources, refuse=prune)
    after = before.without(_unused(before, found)) if prune else before
    for source in found:
        if not isinstance(source, Baseline):
            new = before.split(source).new
            after = after.merged(Baseline.of(new, before.root))
        else:
            after = after.merged(source)
    _save(before, after, file)


@GROUP.command(cls=PlainCommand)
def prune(
    file: _File = None,
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE...]", help=_SOURCES_HELP),
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
    found = _read(sources or (), refuse=True)
    fixed = _unused(before, found) if sources else _gone(before)
    for entry in fixed:
        typer.echo(f"- {entry}")
    if dry_run:
        typer.echo(f"{many(len(fixed), 'known leak')} would be taken out of {file}")
        return
    _save(before, before.without(fixed), file)


def _read(names: Iterable[str], *, refuse: bool) -> list[_Source]:
    """Logs and baselines, as they come; ``-``: standard input.

    A log without a line of httpguard is perhaps another program's: that something is
    not in it says nothing. It may be refused.
    """
    try:
        return [_read_source(name, refuse=refuse) for name in names]
    except BaselineError as error:
        raise typer.BadParameter(str(error), param_hint="SOURCE") from error


def _read_source(name: str, *, refuse: bool) -> _Source:
    if _is_baseline(name):
        return Baseline.load(name)
    counts = LogCounts()
    try:
        read(name, counts)
    except InputError as error:
        raise BaselineError(f"cannot read {error}") from error
    sites = report_of(counts).sites
    damaged = sum(counts.problems.values())
    damaged += sum(site.events for site in sites if not site.lineno)
    if damaged:
        typer.echo(f"{name}: {many(damaged, 'damaged line')}", err=True)
    if not any(counts.ours.values()):
        told = f"no line of httpguard in {name}"
        if refuse:
            raise BaselineError(f"{told}: nothing was taken out for want of it")
        typer.echo(told, err=True)
    return dict.fromkeys(place_of(site) for site in sites if site.lineno)


def _is_baseline(name: str) -> bool:
    """Whether a file begins as a baseline does; a line of a log is a whole object."""
    if name == STDIN:
        return False
    try:
        with open(name, "rb") as file:
            return file.readline(100).strip() == b"{"
    except OSError:  # It is said when it is read.
        return False


def _load(file: str) -> Baseline:
    try:
        return Baseline.load(file)
    except BaselineError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error


def _unused(baseline: Baseline, sources: Iterable[_Source]) -> list[Entry]:
    unused = set(baseline.entries)
    for source in sources:
        if not isinstance(source, Baseline):
            unused &= set(baseline.split(source).fixed)
        else:
            unused -= set(Baseline((), baseline.root).merged(source).entries)
    return [entry for entry in baseline.entries if entry in unused]


def _gone(baseline: Baseline) -> list[Entry]:
    return [entry for entry in baseline.entries if not _is_there(baseline, entry)]


def _is_there(baseline: Baseline, entry: Entry) -> bool:
    """Whether a file still has an entry's line; of installed ones, yes."""
    if entry.file.startswith(ANYWHERE):
        return True
    source = redact_within(entry.source)
    try:
        with open(baseline.path_of(entry), encoding="utf-8", errors="replace") as file:
            lines = {redact_within(line.strip())[: len(source)] for line in file}
    except OSError:
        return False
    return not source or source in lines


def _save(before: Baseline, after: Baseline, file: str) -> None:
    try:
        after.save(file)
    except BaselineError as error:
        raise typer.BadParameter(str(error), param_hint="FILE") from error
    old, new = set(before.entries), set(after.entries)
    typer.echo(
        f"{many(len(new), 'known leak')} in {file}: {len(new - old)} added, "
        f"{len(old - new)} taken out"
    )
