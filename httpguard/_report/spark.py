"""A distributed engine: the same expressions on Spark, over JSON lines or Parquet."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, Final

import ibis
import ibis.expr.datatypes as dt

from . import grouping, records
from .builtin import builtin
from .collect import collect
from .engine import EngineError
from .inputs import STDIN, InputError
from .tables import MOST_DAMAGED, Damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .inputs import Input
    from .tables import Tables

_STRINGS: Final = dt.Array(dt.string)
_NO_COLLAPSE: Final = "org.apache.spark.sql.catalyst.optimizer.CollapseProject"


_get_json_object: Final = builtin("get_json_object", (dt.string, dt.string), dt.string)
_from_json: Final = builtin("from_json", (dt.string, dt.string), _STRINGS)
_UTC: Final = dt.Timestamp("UTC")
_try_to_timestamp: Final = builtin("try_to_timestamp", (dt.string,), _UTC)
_unix_micros: Final = builtin("unix_micros", (_UTC,), dt.int64)


class _Spark:
    """`_engine.Dialect` for Spark."""

    def texts(self, document: Any, paths: Sequence[str]) -> Any:
        """The document is written once: Spark computes it for each use."""
        quoted = ibis.literal([_path(path) for path in paths], _STRINGS)
        return quoted.map(lambda path: _get_json_object(document, path))

    def items(self, document: Any, name: str) -> Any:
        """The list's text, taken apart."""
        return _from_json(_get_json_object(document, _path(name)), "array<string>")

    def is_json(self, text: Any) -> Any:
        """As Spark's own reader sees it."""
        return _get_json_object(text, "$").notnull()

    def epoch(self, text: Any) -> Any:
        """Null where the text is no time; the session's zone is UTC."""
        return _unix_micros(_try_to_timestamp(text))


def _path(names: str) -> str:
    """A JSON path as Spark writes it."""
    return "$" + "".join(f"['{name}']" for name in names.split("."))


class SparkEngine:
    """`_engine.Engine` on a cluster, or on this machine.

    Args:
        master: Where it runs, as Spark names it.
    """

    def __init__(self, master: str) -> None:
        self._master = master

    def run(
        self, inputs: Sequence[Input], since: int | None, advance: Callable[[int], None]
    ) -> Tables:
        """See `_engine.Engine`."""
        for source in inputs:
            if source.path == STDIN:
                raise InputError("Spark cannot read standard input (`-`)")
            if source.form == "zstd":
                raise InputError(
                    f"{source.path}: Spark does not read .zst; the engine duckdb does"
                )
        from pyspark.errors import PySparkException

        with tempfile.TemporaryDirectory(prefix="httpguard-") as folder:
            session = self._session(folder)
            try:
                tables = _run(session, inputs, since)
            except PySparkException as error:
                raise EngineError(f"Spark: {error}") from error
            finally:
                session.stop()
        advance(sum(source.size for source in inputs))
        return tables

    def _session(self, folder: str) -> Any:
        """Spark's session.

        Raises:
            EngineError: It does not start.
        """
        from pyspark.sql import SparkSession

        # 200 tasks a step are for clusters.
        parts = "8" if self._master.startswith("local") else "200"
        try:
            session = (
                SparkSession.builder.master(self._master)
                .config("spark.sql.shuffle.partitions", parts)
                .appName("httpguard report")
                .config("spark.sql.session.timeZone", "UTC")
                .config("spark.sql.ansi.enabled", "false")
                # It would write what a stage needs of the one before into each use.
                .config("spark.sql.optimizer.excludedRules", _NO_COLLAPSE)
                .config("spark.ui.enabled", "false")
                .config("spark.ui.showConsoleProgress", "false")
                .config("spark.sql.warehouse.dir", os.path.join(folder, "warehouse"))
                .getOrCreate()
            )
        except Exception as error:
            # Java that is missing and a master that does not answer look the same.
            raise EngineError(
                f"Spark does not start with --master {self._master}: {error}"
            ) from error
        session.sparkContext.setLogLevel("ERROR")
        return session


def _run(session: Any, inputs: Sequence[Input], since: int | None) -> Tables:
    """With a session at hand."""
    database = ibis.pyspark.connect(session)
    kept: list[Any] = []

    def keep(expression: Any, name: str) -> Any:
        """Compute an expression once, on the cluster."""
        frame = session.sql(ibis.to_sql(expression, dialect="pyspark")).persist()
        kept.append(frame)
        frame.createOrReplaceTempView(f"httpguard_{name}")
        return database.table(f"httpguard_{name}")

    def fetch(expression: Any) -> list[dict[str, Any]]:
        """The rows of an expression."""
        frame = session.sql(ibis.to_sql(expression, dialect="pyspark"))
        return [row.asDict() for row in frame.collect()]

    lines = _lines(session, inputs)
    lines.createOrReplaceTempView("httpguard_lines")
    table = database.table("httpguard_lines")
    total = lines.count()
    for name, make in records.STAGES:
        table = keep(make(table, _Spark()), name)
        if name == "records":
            told = table
    rows = grouping.in_hours(table, since)
    current = rows if since is None else rows.filter(rows.hour >= 0)
    tables = collect(
        grouping.partial(rows),
        grouping.examples(current),
        grouping.events(told),
        fetch,
        keep,
    )
    tables.lines = total
    damaged = told.filter(told.problem.notnull()).select("file", "problem")
    tables.damaged = [
        Damaged(row["file"], None, row["problem"])
        for row in fetch(damaged.order_by("file", "problem").limit(MOST_DAMAGED))
    ]
    for frame in kept:
        frame.unpersist()
    return tables


def _lines(session: Any, inputs: Sequence[Input]) -> Any:
    """All inputs as a frame with the columns file, number and line."""
    from pyspark.sql import functions

    frames = []
    for source in inputs:
        path = os.path.abspath(source.path)
        if source.form == "parquet":
            frame = session.read.parquet(path)
            columns = frame.schema.fields
            if len(columns) == 1 and columns[0].dataType.simpleString() == "string":
                line = functions.col(f"`{columns[0].name}`")
            else:
                names = [functions.col(f"`{column.name}`") for column in columns]
                line = functions.to_json(functions.struct(*names))
        else:
            frame = session.read.text(path, lineSep="\n")
            line = functions.col("value")
        frames.append(
            frame.select(
                functions.lit(source.name).alias("file"),
                functions.lit(None).cast("bigint").alias("number"),
                line.alias("line"),
            )
        )
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionAll(frame)
    return whole
