"""Lines of any log to observations: one row for each leak that a line tells of.

Everything here is an Ibis expression, and the same on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ibis

if TYPE_CHECKING:
    from .engine import Dialect

SCHEMA: Final = 1
"""The newest schema of JSON lines that is understood."""

_LEAK_EVENTS: Final = ("httpguard.leak", "httpguard.resolved")
_SUMMARY: Final = "httpguard.summary"

# Of the line: names and where they are, the first that is there.
_HEAD: Final = {
    "event": ("event", "message", "msg"),
    "schema": ("schema",),
    "run": ("run",),
    "pid": ("pid", "process"),
    "host": ("host", "hostname"),
    "program": ("program",),
    "logged": ("timestamp", "@timestamp", "time", "ts", "asctime"),
}
# Of a leak: in the line itself, or in each element of a summary's list.
_LEAK: Final = (
    "kind",
    "site",
    "site.filename",
    "site.lineno",
    "site.function",
    "count",
    "resolved",
    "first_seen",
    "last_seen",
)
_HEAD_NAMES: Final = tuple(name for several in _HEAD.values() for name in several)
# Where collectors and formatters put the text of a line they wrap.
_WRAPPED: Final = ("log", "message", "MESSAGE", "msg", "event")

_KINDS: Final = "dropped|held|unreleased|open|session"
_PLACE: Final = r"(.+):(\d+) in (\S+)"
_SITE: Final = rf"^{_PLACE}$"
# The three one-line texts of `httpguard._text.events`; the same in RE2, in
# Java and in Python. The separator may have been escaped on the way.
_DOT: Final = r" (?:·|\\u00b7|\?) "
# A session has no request: its line says what it keeps, its summary where it went.
_KEEPS: Final = r"(?:collected with|[\d,]+ sessions made here are) .+?"
_REQUEST: Final = r"(?:([A-Z]+) )?(\S+)"
TEXT_LEAK: Final = rf"\bleak ({_KINDS}) {_PLACE}{_DOT}(?:([A-Z]+) (\S+)|{_KEEPS}){_DOT}"
TEXT_RESOLVED: Final = (
    rf"\bresolved ({_KINDS}) {_PLACE}{_DOT}{_REQUEST}{_DOT}ended well"
    r" after all, (\d+) of (\d+)"
)
TEXT_SUMMARY: Final = (
    rf"> ([\d,]+) ({_KINDS}) at {_PLACE}(?:, (\d+) resolved)?{_DOT}"
    rf"{_REQUEST}{_DOT}fix: "
)
_TIMES: Final = r"([\d,]+) times at this site"
_CLOCK: Final = (
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*(Z|[+-]\d\d:?\d\d)?"
)

KEY: Final = ("kind", "filename", "lineno", "function")
"""What leaks are grouped by."""


def candidates(lines: Any, dialect: Dialect) -> Any:
    """The first stage: lines that may be ours, and the JSON in them.

    Args:
        lines: A table with the columns file, number and line.
        dialect: The engine's.
    """
    line = lines.line
    marked = lines.mutate(ours=line.contains('"httpguard.'))
    marked = marked.mutate(
        wordy=~marked.ours
        & (
            marked.line.contains("fix: ") | marked.line.contains("ended well after all")
        ),
        cut=~marked.ours & marked.line.startswith("{") & ~_ends_with_brace(marked.line),
        found=_from_brace(marked.line),
    )
    marked = marked.filter(marked.ours | marked.wordy | marked.cut)
    return marked.select(
        "file",
        "number",
        "ours",
        "cut",
        "found",
        line=marked.wordy.ifelse(marked.line, _null()),
        # As the text of a member, written by a collector.
        nested=marked.line.contains('\\"httpguard.'),
        # A mention of an event's name in a sentence is no damage.
        braced=marked.found.notnull(),
        is_json=dialect.is_json(marked.found).fill_null(False),
    )


def located(found: Any, dialect: Dialect) -> Any:
    """The second stage: the document or the text of each line, and its members.

    Args:
        found: What `candidates` returns.
        dialect: The engine's.
    """
    whole = found.is_json.ifelse(found.found, _null())
    wrapped = (found.nested | ~found.ours).ifelse(whole, _null())
    unwrapped = found.mutate(inner=_first(dialect, wrapped, _WRAPPED))
    inner = _from_brace(unwrapped.inner)
    deep = unwrapped.nested & dialect.is_json(inner).fill_null(False)
    document = deep.ifelse(inner, found.ours.ifelse(whole, _null()))
    return unwrapped.select(
        "file",
        "number",
        "ours",
        "cut",
        "braced",
        "is_json",
        document=document,
        text=(~found.ours & ~found.cut).ifelse(
            ibis.coalesce(unwrapped.inner, unwrapped.line), _null()
        ),
        line="line",
        values=dialect.texts(
            ibis.coalesce(document, found.ours.ifelse(_null(), whole)),
            (*_HEAD_NAMES, *_LEAK),
        ),
    )


def records(found: Any, _dialect: Dialect) -> Any:
    """The third stage: what a line says, and whether it can be read.

    Args:
        found: What `located` returns.

    Returns:
        A table with the columns file, number, document (JSON or null), text (one of
        our one-line texts or null), event, problem (null: none), the other names of
        the head and those of a leak.
    """
    values = found["values"]
    at = {name: index for index, name in enumerate(_HEAD_NAMES)}
    head = {
        column: ibis.coalesce(*(values[at[name]] for name in several))
        for column, several in _HEAD.items()
    }
    # Where an EventRenamer has been, `event` may be something else.
    names = [values[at[name]] for name in _HEAD["event"]]
    head["event"] = ibis.coalesce(
        *(name.startswith("httpguard.").ifelse(name, _null()) for name in names)
    )
    leak = {_column(name): values[len(at) + index] for index, name in enumerate(_LEAK)}
    told = found.mutate(**head, **leak)
    told = told.mutate(problem=_problem(told))
    told = told.filter(
        told.problem.notnull() | told.event.notnull() | told.text.notnull()
    )
    return told.drop("values", "ours", "cut", "braced", "is_json")


def _problem(told: Any) -> Any:
    """What is wrong with a line that should be one of ours, or null."""
    newer = told["schema"].try_cast("int64") > SCHEMA
    leak = told.event.isin(_LEAK_EVENTS) & (told.kind.isnull() | told.site.isnull())
    return ibis.cases(
        (told.cut, "cut short"),
        (told.ours & told.braced & ~told.is_json, "not JSON"),
        (told.event.notnull() & newer, "of a newer schema"),
        (leak, "without kind or site"),
        else_=_null(),
    )


def observations(told: Any, dialect: Dialect) -> Any:
    """The leaks that the lines tell of.

    Args:
        told: What `records` returns.
        dialect: The engine's.

    Returns:
        A table with the columns of `KEY`, process, host, program, count and
        resolved (both so far in that process), first and seen (microseconds since
        1970 or null) and example: text that sorts behind that of a less telling
        example, the document after its first 18 characters.
    """
    good = told.filter(told.problem.isnull())
    flat = good.filter(good.event.isin(_LEAK_EVENTS))
    flat = flat.mutate(rank=flat.document.contains('"stack"').ifelse("2", "1"))
    summary = good.filter(good.event == _SUMMARY)
    summary = summary.mutate(document=dialect.items(summary.document, "leaks").unnest())
    summary = summary.mutate(values=dialect.texts(summary.document, _LEAK))
    summary = summary.mutate(
        rank=ibis.literal("0"),
        **{_column(name): summary["values"][i] for i, name in enumerate(_LEAK)},
    )
    summary = summary.filter(summary.kind.notnull() & summary.site.notnull())
    parts = [
        _from_json(flat, dialect),
        _from_json(summary, dialect),
        _from_text(good.filter(good.event.isnull() & good.text.notnull()), dialect),
    ]
    return ibis.union(*parts)


def _from_json(table: Any, dialect: Dialect) -> Any:
    """Observations of documents, whose site is an object or a text."""
    text = table.site_filename.isnull().ifelse(table.site, _null())
    first, last = dialect.epoch(table.first_seen), dialect.epoch(table.last_seen)
    logged = dialect.epoch(table.logged)
    seen = ibis.coalesce(last, logged)
    return table.select(
        kind=table.kind,
        filename=ibis.coalesce(table.site_filename, _part(text, _SITE, 1), text),
        lineno=ibis.coalesce(
            table.site_lineno.try_cast("int64"),
            _part(text, _SITE, 2).try_cast("int64"),
            ibis.literal(0, "int64"),
        ),
        function=ibis.coalesce(table.site_function, _part(text, _SITE, 3), ""),
        **_process(table),
        count=ibis.coalesce(table["count"].try_cast("int64"), 1),
        resolved=ibis.coalesce(table.resolved.try_cast("int64"), 0),
        first=ibis.coalesce(first, seen),
        seen=seen,
        example=_example(table.rank, seen, table.document),
    )


def _from_text(table: Any, dialect: Dialect) -> Any:
    """Observations of our one-line texts."""
    text = table.text
    leak, ended = text.re_search(TEXT_LEAK), text.re_search(TEXT_RESOLVED)
    total = text.re_search(TEXT_SUMMARY)
    forms = table.mutate(
        form=ibis.cases((leak, "leak"), (ended, "resolved"), (total, "summary"))
    )
    forms = forms.filter(forms.form.notnull())
    text = forms.text

    def part(leak: int | None, resolved: int | None, summary: int | None) -> Any:
        """A group of whichever pattern matched."""
        return ibis.cases(
            *(
                (forms.form == name, _part(text, pattern, index))
                for name, pattern, index in (
                    ("leak", TEXT_LEAK, leak),
                    ("resolved", TEXT_RESOLVED, resolved),
                    ("summary", TEXT_SUMMARY, summary),
                )
                if index is not None
            )
        )

    times = ibis.coalesce(part(None, 8, 1), _part(text, _TIMES, 1), "1")
    clock = ibis.coalesce(forms.logged, forms.line)
    stamp = (
        _part(clock, _CLOCK, 1)
        .concat(".", ibis.coalesce(_part(clock, _CLOCK, 2), "0"))
        .concat(ibis.coalesce(_part(clock, _CLOCK, 3), ""))
    )
    seen = dialect.epoch(stamp)
    return forms.select(
        kind=part(1, 1, 2),
        filename=part(2, 2, 3),
        lineno=part(3, 3, 4).try_cast("int64"),
        function=part(4, 4, 5),
        **_process(forms),
        count=ibis.coalesce(times.replace(",", "").try_cast("int64"), 1),
        resolved=ibis.coalesce(part(None, 7, 6).try_cast("int64"), 0),
        first=seen,
        seen=seen,
        example=_example(ibis.literal("0"), seen, text),
    )


def _process(table: Any) -> dict[str, Any]:
    """Which process a line is of: its run, else host and pid, else its file."""
    host = ibis.coalesce(table.host, "")
    return {
        "process": ibis.coalesce(
            table.run,
            host.concat("/", table.pid),
            ibis.literal("file ").concat(table.file),
        ),
        "host": host,
        "program": ibis.coalesce(table.program, ""),
    }


def _example(rank: Any, seen: Any, document: Any) -> Any:
    """What the largest of is taken: the most telling, then the latest."""
    # 17 digits of microseconds last until the year 5138.
    when = ibis.coalesce(seen, 0).cast("string").lpad(17, "0")
    return rank.concat(when, document)


def _first(dialect: Dialect, document: Any, names: tuple[str, ...]) -> Any:
    """The first of several members that is there."""
    values = dialect.texts(document, names)
    return values.filter(lambda value: value.notnull())[0]


def _from_brace(text: Any) -> Any:
    """What follows a log's prefix: the text from its first brace on, or null."""
    return text.contains("{").ifelse(text.substr(text.find("{")), _null())


def _ends_with_brace(line: Any) -> Any:
    """Whether a line that may have its line end is closed by a brace."""
    # Stripping costs ten times as much: it makes a copy of every line.
    return line.endswith("}\n") | line.endswith("}\r\n") | line.endswith("}")


def _part(text: Any, pattern: str, index: int) -> Any:
    """A group of a pattern; null where it does not match or is empty."""
    return text.re_extract(pattern, index).nullif("")


def _null() -> Any:
    """No text."""
    return ibis.null("string")


def _column(name: str) -> str:
    """A JSON path as the name of a column."""
    return name.replace(".", "_")


STAGES: Final = (
    ("candidates", candidates),
    ("located", located),
    ("records", records),
    ("observed", observations),
)
"""From lines to observations: the name of each result, and how it is made of the one
before. An engine may keep them or not."""
