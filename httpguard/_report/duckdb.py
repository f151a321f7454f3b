"""The embedded engine: DuckDB, block by block, in bounded memory."""

from __future__ import annotations

import functools
import os
import tempfile
from typing import TYPE_CHECKING, Any, Final

import duckdb
import ibis
import ibis.expr.datatypes as dt

from . import grouping, inputs, records
from .builtin import builtin
from .collect import collect
from .engine import EngineError
from .tables import MOST_DAMAGED, Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .inputs import Input
    from .tables import Tables

_STRINGS: Final = dt.Array(dt.string)
# What pieces of the whole are kept between blocks, and how they are made one.
_PIECES: Final = {
    "hours": grouping.partial,
    "examples": grouping.examples,
    "events": grouping.events,
}
# The pieces are put together when a table of them has grown to so many rows.
_MOST_ROWS: Final = 2_000_000


_json_extract_string: Final = builtin(
    "json_extract_string", (dt.string, _STRINGS), _STRINGS
)
_json_extract: Final = builtin("json_extract", (dt.string, dt.string), _STRINGS)
_json_valid: Final = builtin("json_valid", (dt.string,), dt.boolean)
_epoch_us: Final = builtin("epoch_us", (dt.Timestamp("UTC"),), dt.int64)


class _DuckDB:
    """`_engine.Dialect` for DuckDB."""

    def texts(self, document: Any, paths: Sequence[str]) -> Any:
        """One call for all paths: a document is parsed once."""
        quoted = [_path(path) for path in paths]
        return _json_extract_string(document, ibis.literal(quoted, _STRINGS))

    def items(self, document: Any, name: str) -> Any:
        """By a path with a wildcard."""
        return _json_extract(document, _path(name) + "[*]")

    def is_json(self, text: Any) -> Any:
        """As DuckDB's own reader sees it."""
        return _json_valid(text)

    def epoch(self, text: Any) -> Any:
        """Null where the text is no time."""
        return _epoch_us(text.try_cast(dt.Timestamp("UTC")))


@functools.cache
def _compiled() -> tuple[tuple[str, ...], Any, Any]:
    """A statement for each stage, and the tables that two of them make.

    DuckDB would compute what a stage needs of the one before again for each use of
    it, so each stage's result is a table.
    """
    table = ibis.table(
        {"file": "string", "number": "int64", "line": "string"}, name="block"
    )
    statements = []
    tables = {}
    for name, make in records.STAGES:
        expression = make(table, _DuckDB())
        statements.append(_into(name, expression))
        table = tables[name] = ibis.table(expression.schema(), name=name)
    return tuple(statements), tables["records"], tables["observed"]


def _into(name: str, expression: Any) -> str:
    """The statement that computes an expression into a table."""
    query = ibis.to_sql(expression, dialect="duckdb")
    return f"CREATE OR REPLACE TEMP TABLE {name} AS {query}"


def _quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _path(names: str) -> str:
    """A JSON path as DuckDB writes it."""
    return "$" + "".join(f'."{name}"' for name in names.split("."))


class DuckDBEngine:
    """`_engine.Engine` on this machine.

    Args:
        memory: The most memory that DuckDB takes, such as ``1GB``. What does not
            fit goes to a temporary folder. The blocks of lines come on top.
    """

    def __init__(self, memory: str) -> None:
        self._memory = memory
        self._damaged: list[Damaged] = []
        self._lines = 0
        self._broken: list[dict[str, Any]] = []

    def run(
        self, inputs: Sequence[Input], since: int | None, advance: Callable[[int], None]
    ) -> Tables:
        """See `_engine.Engine`."""
        with tempfile.TemporaryDirectory(prefix="httpguard-") as folder:
            database = ibis.duckdb.connect(
                os.path.join(folder, "report.duckdb"),
                memory_limit=self._memory,
                temp_directory=os.path.join(folder, "spill"),
                preserve_insertion_order=False,
            )
            try:
                return self._run(database, inputs, since, advance)
            except duckdb.OutOfMemoryException as error:
                raise EngineError(
                    f"--memory {self._memory} is not enough: {error}"
                ) from error
            except duckdb.IOException as error:  # A full disk, above all.
                raise EngineError(f"DuckDB: {error}") from error
            finally:
                database.disconnect()

    def _run(
        self,
        database: Any,
        inputs: Sequence[Input],
        since: int | None,
        advance: Callable[[int], None],
    ) -> Tables:
        """With a database at hand."""
        raw = database.con
        raw.execute("SET enable_progress_bar = false").fetchall()
        raw.execute("SET TimeZone = 'UTC'").fetchall()
        steps = _Steps(database, since)
        for source in inputs:
            for statement, block in self._blocks(source, steps, advance):
                raw.register("block", block.table)
                raw.execute(statement).fetchall()
                steps.run()
                raw.unregister("block")
                self._lines += block.lines
                self._name_damaged(raw)
        pieces = {name: make(database.table(name)) for name, make in _PIECES.items()}
        tables = collect(
            pieces["hours"],
            pieces["examples"],
            pieces["events"],
            fetch=lambda expression: database.to_pyarrow(expression).to_pylist(),
            keep=lambda expression, name: database.create_table(name, expression),
        )
        tables.lines = self._lines
        tables.damaged = self._damaged
        tables.events += self._broken
        return tables

    def _blocks(
        self, source: Input, steps: _Steps, advance: Callable[[int], None]
    ) -> Iterator[tuple[str, inputs.Block]]:
        """The blocks of an input, each with the statement that reads its lines."""
        if source.form == "parquet":
            for block in inputs.rows(source, advance):
                yield steps.from_rows(block.table, source.name), block
            return

        def broken(number: int, how: str) -> None:
            """Note damaged compressed data as a damaged line."""
            problem = f"the rest cannot be decompressed: {how}"
            self._broken.append(
                {"file": source.name, "event": None, "problem": problem, "lines": 1}
            )
            self._damaged.append(Damaged(source.name, number, problem))

        for block in inputs.blocks(source, advance, broken):
            yield steps.from_lines, block

    def _name_damaged(self, raw: Any) -> None:
        """Note the first damaged lines of the block."""
        room = MOST_DAMAGED - len(self._damaged)
        if room <= 0:
            return
        found = raw.execute(
            "SELECT file, number, problem FROM records WHERE problem IS NOT NULL"
            " ORDER BY number LIMIT ?",
            [room],
        ).fetchall()
        self._damaged.extend(Damaged(*row) for row in found)


class _Steps:
    """What is done with every block, compiled once.

    Args:
        database: The connection.
        since: As for `run`.
    """

    def __init__(self, database: Any, since: int | None) -> None:
        self._raw = database.con
        self._database = database
        (self.from_lines, *self._stages), kept, table = _compiled()
        hours = grouping.in_hours(table, since)
        current = hours if since is None else hours.filter(hours.hour >= 0)
        made = {
            "hours": grouping.partial(hours),
            "examples": grouping.examples(current),
            "events": grouping.events(kept),
        }
        self._inserts = []
        for name, expression in made.items():
            database.create_table(name, schema=expression.schema())
            self._inserts.append(
                f"INSERT INTO {name} {ibis.to_sql(expression, dialect='duckdb')}"
            )

    def from_rows(self, table: Any, name: str) -> str:
        """The statement that reads rows of Parquet as if they were lines.

        Args:
            table: The rows, the last column being their numbers.
            name: Of the file.
        """
        columns = [_quoted(column) for column in table.column_names[:-1]]
        if len(columns) == 1 and str(table.schema.types[0]).endswith("string"):
            (line,) = columns
        else:
            packed = ", ".join(f"{column} := {column}" for column in columns)
            line = f"CAST(to_json(struct_pack({packed})) AS VARCHAR)"
        file = name.replace("'", "''")
        number = _quoted(table.column_names[-1])
        view = (
            f"(SELECT '{file}' AS file, {number} AS number, {line} AS line FROM block)"
        )
        return self.from_lines.replace('"block"', view)

    def run(self) -> None:
        """Add the block's pieces to those of the blocks before."""
        for statement in self._stages:
            self._raw.execute(statement).fetchall()
        for statement in self._inserts:
            self._raw.execute(statement).fetchall()
        for name, make in _PIECES.items():
            table = self._database.table(name)
            if table.count().to_pyarrow().as_py() > _MOST_ROWS:
                # Not by `create_table`: where it is to overwrite, Ibis 12 and
                # sqlglot 30 make a statement together that DuckDB does not take.
                query = ibis.to_sql(make(table), dialect="duckdb")
                self._raw.execute(
                    f"CREATE OR REPLACE TABLE {name} AS {query}"
                ).fetchall()
