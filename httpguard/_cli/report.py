"""`httpguard report`: which sites leak, out of the logs of a fleet."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from .._model.errors import HTTPGuardError
from .._model.extras import require
from .._model.leak import LeakKind
from .._report.counts import LogCounts
from .._report.inputs import InputError, read
from .._report.sites import parse_since, report_of, select
from .values import COUNT, project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._report.result import Report

_FOUND: Final = 23
_STDOUT: Final = "-"
# Bytes between two looks at how far a file is read.
_CHUNK: Final = 2**20


_Form = Literal["text", "json", "github"]


def report(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Logs: JSON lines, or application logs with our lines among others;"
            " plain, .gz or .zst. `-` is standard input.",
        ),
    ],
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Only what leaked since then: an ISO date or time"
            " (`2026-03-01`, UTC unless it says otherwise), or `30m`, `24h`, `7d`.",
        ),
    ] = "",
    kind: Annotated[
        list[LeakKind] | None,
        typer.Option(
            metavar="|".join(LeakKind), help="Only this kind; may be repeated."
        ),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only sites whose file, or `file:line in function`, matches;"
            " may be repeated. `*/orders/*.py`, `views.py`, `* in fetch`.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Leave out what it tolerates."),
    ] = None,
    form: Annotated[
        _Form,
        typer.Option(
            "--format",
            metavar="text|json|github",
            help="What is printed: text for people, JSON, or annotations for"
            " GitHub's workflows.",
        ),
    ] = "text",
    as_json: Annotated[
        bool, typer.Option("--json", help="The same as `--format json`.")
    ] = False,
    html: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Also write a page, complete in itself; `-`: print that alone.",
        ),
    ] = "",
    sarif: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Also write SARIF 2.1.0, for code scanning; `-`: print that alone.",
        ),
    ] = "",
    root: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Show files relative to this directory: where your code lies on"
            " the machines that the logs are from. Default: the current one.",
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            parser=COUNT,
            metavar="NUMBER",
            help="Print so many sites as text; 0: all. Default: 20.",
        ),
    ] = None,
    fail: Annotated[
        bool | None,
        typer.Option(
            "--fail/--no-fail",
            help="Exit with 23 if any site is left to show, or a file has no line of"
            " httpguard.",
        ),
    ] = None,
    engine: Annotated[
        Literal["plain", "spark"],
        typer.Option(
            metavar="plain|spark",
            help="Who reads: this process, or Spark, for more than it can.",
        ),
    ] = "plain",
    master: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where Spark runs: `local[2]`, `local-cluster[2,1,1024]`,"
            " `spark://…`, `yarn`.",
        ),
    ] = "local[*]",
) -> None:
    """Show which lines leak, most harmful first, out of any number of logs.

    Reads what `HTTPGUARD_LOG` and `httpguard run --log` write, structlog's JSON, and
    application logs that have our lines among others. Counts are per process and
    cumulative, so that a line which is in two logs counts once. Harm is 10 for each
    `unreleased` response, 5 for `held`, 2 for `open`, 1 for `dropped` and `session`,
    and 1 for each that ended well after all.

    A `+` at a count: a process has not summed up (it runs on, or was killed), so that
    there may be more. The exit code is 0, with `--fail` 23 if leaks are left to show
    or a file has nothing of httpguard in it; 2 if the command
    was called wrongly or a file cannot be read. Damaged lines are counted and named,
    and change nothing about the exit code.

    `[tool.httpguard]` of the nearest `pyproject.toml` has the project's defaults:
    `baseline`, and `fail`, `root` and `top` below `[tool.httpguard.report]`.
    """
    told = project()
    said = {"root": "", "top": 20, "fail": False, **told.options["report"]}
    baseline = told.baseline if baseline is None else baseline
    root = said["root"] if root is None else root
    top = said["top"] if top is None else top
    fail = said["fail"] if fail is None else fail
    if html:
        require("report", "jinja2")
    if engine == "spark":
        require("spark", "pyspark")
    if html == sarif == _STDOUT:
        raise typer.BadParameter("only one of --html and --sarif can be `-`")
    try:
        begin = parse_since(since)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--since'") from error
    made = report_of(_read(files, begin, master if engine == "spark" else ""), begin)
    made = select(made, {one.value for one in kind or ()}, site or ())
    if baseline:
        made = _beside(made, baseline)
    directory = os.path.abspath(root or os.getcwd())
    if html:
        from .._report.html import render

        _write("--html", html, render(made, directory))
    if sarif:
        from .._report.sarif import to_sarif

        _write("--sarif", sarif, _json(to_sarif(made, directory)))
    if _STDOUT not in (html, sarif):
        _print(made, "json" if as_json else form, directory, top)
    if fail and (made.sites or made.reading.foreign):
        raise typer.Exit(_FOUND)


def _read(files: list[str], since: datetime | None, master: str) -> LogCounts:
    """Read the logs, by Spark if there is a master."""
    begin = None if since is None else round(since.timestamp() * 1e6)
    try:
        paths = list(dict.fromkeys(files))
        if master:
            from .._report.spark import EngineError, read_with_spark

            try:
                return read_with_spark(paths, begin, master)
            except EngineError as error:
                typer.echo(f"httpguard report: {error}", err=True)
                raise typer.Exit(1) from error
        # Lines make millions of objects, and no cycle.
        gc.disable()
        counts = LogCounts(begin)
        with _progress() as watched:
            for path in paths:
                read(path, counts, watched)
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="'FILE...'") from error
    finally:
        gc.enable()
    return counts


@contextmanager
def _progress() -> Iterator[Callable[[io.BufferedReader], io.BufferedReader]]:
    """Shows how far a file is read, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda raw: raw
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:

        def watched(raw: io.BufferedReader) -> io.BufferedReader:
            size = os.fstat(raw.fileno()).st_size or None
            task = bar.add_task("reading", total=size)
            # Each read of it costs a lock.
            seen: Any = bar.wrap_file(raw, total=size, task_id=task)
            return io.BufferedReader(seen, _CHUNK)

        yield watched


def _beside(made: Report, path: str) -> Report:
    """Without the sites that a baseline tolerates."""
    from .._baseline.baseline import load_known

    try:
        compared = load_known(path).split(made.sites)
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error), param_hint="'--baseline'") from error
    fixed = tuple(map(str, compared.fixed))
    return replace(made, sites=compared.new, known=compared.known, fixed=fixed)


def _write(option: str, path: str, text: str) -> None:
    if path == _STDOUT:
        sys.stdout.write(text)
        return
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise typer.BadParameter(
            f"{path}: {error.strerror or error}", param_hint=f"'{option}'"
        ) from error


def _print(made: Report, form: _Form, root: str, top: int) -> None:
    if form == "json":
        sys.stdout.write(_json(made.to_dict()))
    elif form == "github":
        from .._report.github import commands

        sys.stdout.writelines(f"{line}\n" for line in commands(made, root))
    else:
        from .._report.terminal import console_on, show

        show(made, console_on(sys.stdout), root, top)


def _json(value: Any) -> str:
    """JSON text, of ASCII alone: every console and reader takes it."""
    return json.dumps(value, indent=2, default=datetime.isoformat) + "\n"
