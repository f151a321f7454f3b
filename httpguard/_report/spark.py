"""Spark as the engine: every partition has counts of its own, and these are merged."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

from .._model.errors import HTTPGuardError
from .counts import LogCounts
from .inputs import STDIN, InputError, form_of, opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class EngineError(HTTPGuardError):
    """The engine cannot do what was asked; the message says what to change."""


def read_with_spark(paths: Sequence[str], since: int | None, master: str) -> LogCounts:
    """Read everything on a cluster, where httpguard has to be, or on this machine.

    Raises:
        InputError: Spark cannot read one of the inputs.
        EngineError: It does not start, or fails.
    """
    for path in paths:
        if path == STDIN:
            raise InputError("Spark cannot read standard input (`-`)")
        with opened(path) as raw:
            if form_of(raw, path) == "zstd":
                raise InputError(f"{path}: Spark does not read .zst")
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException

    with tempfile.TemporaryDirectory(prefix="httpguard-") as folder:
        settings = SparkConf().setMaster(master).setAppName("httpguard report")
        settings.set("spark.ui.enabled", "false").set("spark.local.dir", folder)
        settings.set("spark.ui.showConsoleProgress", "false")
        try:
            context = SparkContext.getOrCreate(settings)
        except Exception as error:
            # Java that is missing and a master that does not answer look the same.
            raise EngineError(
                f"Spark does not start with --master {master}: {error}"
            ) from error
        try:
            context.setLogLevel("ERROR")
            whole = LogCounts(since)
            for path in paths:
                whole.begin(path)
                whole.merge(_read(context, path, since))
        except Exception as error:
            of_java = type(error).__module__.partition(".")[0] == "py4j"
            if of_java or isinstance(error, (PySparkException, OSError)):
                raise EngineError(f"Spark: {error}") from error
            raise
        finally:
            context.stop()
    return whole


def _read(context: Any, path: str, since: int | None) -> LogCounts:
    """One file, its parts merged two by two on the cluster."""
    lines = context.textFile(os.path.abspath(path), use_unicode=False)
    parts = lines.mapPartitions(partial(_take, path, since))
    if parts.getNumPartitions():
        return parts.treeReduce(LogCounts.merge)  # type: ignore[no-any-return]
    return LogCounts(since)


def _take(name: str, since: int | None, lines: Iterable[bytes]) -> Iterator[LogCounts]:
    counts = LogCounts(since)
    for line in lines:
        counts.lines += 1
        problem = counts.take(name, line.decode("utf-8", "replace"))
        counts.note_damage(name, None, problem)
    yield counts
