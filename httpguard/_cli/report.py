"""`httpguard report`: which sites leak, out of the logs of a fleet."""

from __future__ import annotations

import enum
import json
import os
import re
import sys
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .._model.errors import HTTPGuardError
from .._model.extras import require
from .._model.leak import LeakKind  # noqa: TC001  # typer looks at it.

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._report.engine import Engine
    from .._report.inputs import Input
    from .._report.result import Report, Site

_FOUND: Final = 23
_AGO: Final = re.compile(r"(\d+)\s*([smhdw])")
_UNITS: Final = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}
_MEMORY: Final = re.compile(r"\d+(\.\d+)? *([KMGT]i?B)", re.IGNORECASE)


class Form(str, enum.Enum):
    """What is printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class EngineName(str, enum.Enum):
    """Who does the grouping."""

    DUCKDB = "duckdb"
    SPARK = "spark"


def register(app: typer.Typer) -> None:
    """Add the command.

    Args:
        app: To this.
    """
    app.command("report")(report)


def report(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Logs: JSON lines, application logs with our lines among others,"
            " Parquet; plain, .gz or .zst. `-` is standard input.",
            show_default=False,
        ),
    ],
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Only what leaked since then: an ISO date or time"
            " (`2026-03-01`, UTC unless it says otherwise), or `30m`, `24h`, `7d`.",
            show_default=False,
        ),
    ] = "",
    kind: Annotated[
        list[LeakKind] | None,
        typer.Option(help="Only this kind; may be repeated.", show_default=False),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Only sites whose file, or `file:line in function`, matches;"
            " may be repeated. `*/orders/*.py`, `views.py`, `* in fetch`.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="Leave out what it tolerates.", show_default=False
        ),
    ] = "",
    form: Annotated[
        Form,
        typer.Option(
            "--format",
            help="What is printed: text for people, JSON, or annotations for"
            " GitHub's workflows.",
        ),
    ] = Form.TEXT,
    as_json: Annotated[
        bool, typer.Option("--json", help="The same as `--format json`.")
    ] = False,
    html: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Also write a page, complete in itself.",
            show_default=False,
        ),
    ] = "",
    sarif: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Also write SARIF 2.1.0, for code scanning.",
            show_default=False,
        ),
    ] = "",
    root: Annotated[
        str,
        typer.Option(
            metavar="DIR",
            help="Show files relative to this directory: where your code lies on"
            " the machines that the logs are from. Default: the current one.",
            show_default=False,
        ),
    ] = "",
    top: Annotated[
        int, typer.Option(min=0, help="Print so many sites as text; 0: all.")
    ] = 20,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit with 23 if any site is left to show.")
    ] = False,
    memory: Annotated[
        str,
        typer.Option(
            metavar="SIZE",
            help="The most memory that DuckDB takes; more goes to a temporary file.",
        ),
    ] = "1GB",
    engine: Annotated[
        EngineName,
        typer.Option(help="What groups: DuckDB, built in, or Spark."),
    ] = EngineName.DUCKDB,
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

    The exit code is 0, with `--fail` 23 if leaks are left to show; 2 if the command
    was called wrongly or a file cannot be read. Damaged lines are counted and named,
    and change nothing about the exit code.
    """
    require("report", "ibis", "duckdb", "pyarrow", "jinja2")
    if engine is EngineName.SPARK:
        require("spark", "pyspark")
    begin = _time(since)
    if not _MEMORY.fullmatch(memory):
        raise typer.BadParameter(
            f"{memory!r} is no size; accepted: 500MB, 2GB", param_hint="'--memory'"
        )
    made = _read(files, begin, _engine(engine, memory, master))
    made = _filtered(made, kind or [], site or [])
    if baseline:
        made = _beside(made, baseline)
    directory = os.path.abspath(root or os.getcwd())
    _write(html, sarif, made, directory)
    _print(made, Form.JSON if as_json else form, directory, top)
    if fail and made.sites:
        raise typer.Exit(_FOUND)


def _time(text: str) -> datetime | None:
    """What ``--since`` says.

    Raises:
        BadParameter: It is neither an age nor a time.
    """
    if not text:
        return None
    age = _AGO.fullmatch(text.strip())
    try:
        if age is not None:
            length = timedelta(**{_UNITS[age[2]]: int(age[1])})
            return datetime.now(timezone.utc) - length
        # Before 3.11 the letter is not understood.
        time = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text.strip()))
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(
            f"{text!r} is no time; accepted: an ISO date or time (2026-03-01,"
            " 2026-03-01T12:00+01:00), or an age (90s, 30m, 24h, 7d, 2w)",
            param_hint="'--since'",
        ) from error


def _engine(name: EngineName, memory: str, master: str) -> Engine:
    """The engine that was asked for; only its own packages are imported."""
    if name is EngineName.SPARK:
        from .._report.spark import SparkEngine

        return SparkEngine(master)
    from .._report.duckdb import DuckDBEngine

    return DuckDBEngine(memory)


def _read(files: list[str], since: datetime | None, engine: Engine) -> Report:
    """Read the logs and group what is in them.

    Raises:
        BadParameter: One cannot be read.
        Exit: The engine cannot do it.
    """
    from .._report.engine import EngineError
    from .._report.inputs import InputError, look_at
    from .._report.result import Reading, Report, reading_of, sites_of

    begin = None if since is None else round(since.timestamp() * 1e6)
    try:
        inputs = look_at(files)
        with _progress(inputs) as advance:
            tables = engine.run(inputs, begin, advance)
    except InputError as error:
        raise typer.BadParameter(str(error), param_hint="'FILE...'") from error
    except EngineError as error:
        typer.echo(f"httpguard report: {error}", err=True)
        raise typer.Exit(1) from error
    reading: Reading = reading_of((source.name for source in inputs), tables)
    return Report(sites_of(tables), reading, datetime.now(timezone.utc), since)


class _progress:  # noqa: N801  # Reads like the context manager it is.
    """A progress bar, if standard error is a terminal.

    Args:
        inputs: What will be read.
    """

    def __init__(self, inputs: list[Input]) -> None:
        """Draw nothing yet."""
        from rich.console import Console
        from rich.progress import Progress

        self._console = Console(stderr=True)
        self._bar = Progress(
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        sizes = [source.size for source in inputs]
        self._task = self._bar.add_task(
            "reading", total=sum(sizes) if all(sizes) else None
        )

    def __enter__(self) -> Callable[[int], None]:
        """The function that advances it."""
        self._bar.start()
        return lambda read: self._bar.advance(self._task, read)

    def __exit__(self, *_: object) -> None:
        """Take it off the screen."""
        self._bar.stop()


def _filtered(made: Report, kinds: list[LeakKind], globs: list[str]) -> Report:
    """Without the sites that the options leave out."""
    from dataclasses import replace

    wanted = {kind.value for kind in kinds}
    kept = tuple(
        site
        for site in made.sites
        if (not wanted or site.kind in wanted)
        and (not globs or any(_matches(site, pattern) for pattern in globs))
    )
    return replace(made, sites=kept, hidden=len(made.sites) - len(kept))


def _matches(site: Site, pattern: str) -> bool:
    """Whether a glob means a site; a relative one may begin in any directory."""
    names = (site.filename, f"{site.filename}:{site.lineno}", site.place)
    return any(
        fnmatchcase(name, pattern) or fnmatchcase(name, f"*/{pattern}")
        for name in names
    )


def _beside(made: Report, path: str) -> Report:
    """Without the sites that a baseline tolerates.

    Raises:
        BadParameter: It cannot be read.
    """
    from dataclasses import replace

    from .._baseline.baseline import Baseline, Place

    def place(site: Site) -> Place:
        """What the baseline knows a site by."""
        at = (site.filename, site.lineno)
        sources = (
            step.source
            for step in site.example.stack
            if (step.filename, step.lineno) == at
        )
        return Place(site.kind, site.filename, site.function, next(sources, ""))

    try:
        compared = Baseline.load(path).split(made.sites, place)
    except HTTPGuardError as error:
        raise typer.BadParameter(str(error), param_hint="'--baseline'") from error
    fixed = tuple(
        f"{entry.kind} {entry.file} in {entry.function}: {entry.source}"
        for entry in compared.fixed
    )
    return replace(made, sites=compared.new, known=compared.known, fixed=fixed)


def _write(html: str, sarif: str, made: Report, root: str) -> None:
    """Write the files that were asked for.

    Raises:
        BadParameter: One cannot be written.
    """
    from .._report.html import render
    from .._report.sarif import to_sarif

    if html:
        _write_file("--html", html, render(made, root))
    if sarif:
        _write_file("--sarif", sarif, _json(to_sarif(made, root)))


def _write_file(option: str, path: str, text: str) -> None:
    """Write one of them.

    Raises:
        BadParameter: It cannot be written.
    """
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise typer.BadParameter(
            f"{path}: {error.strerror or error}", param_hint=f"'{option}'"
        ) from error


def _print(made: Report, form: Form, root: str, top: int) -> None:
    """Print it in the form that was asked for."""
    if form is Form.JSON:
        sys.stdout.write(_json(made.to_dict()))
    elif form is Form.GITHUB:
        from .._report.github import commands

        sys.stdout.writelines(f"{line}\n" for line in commands(made, root))
    else:
        from rich.console import Console

        from .._report.terminal import show

        show(made, Console(highlight=False), root, top)


def _json(value: Any) -> str:
    """JSON text, of ASCII alone: every console and reader takes it."""
    return json.dumps(value, indent=2) + "\n"
