"""Records: what a session says of leaks at its end, fit for a wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._baseline.place import Place, place_of
from .._stacks.capture import source_line
from .._text.words import request

if TYPE_CHECKING:
    from .._model.leak import Leak
    from .traceback import Crowd

# The attribute of a report that carries records, over xdist's wire as well.
RECORDS: Final = "httpguard_leaks"
# The id of a report that xdist's worker may send only under that of a test.
NODEID: Final = "httpguard_nodeid"

# Beside the kinds of leaks; a baseline does not have it.
MAX_OPEN: Final = "max_open"

Record = dict[str, Any]


def make_record(leak: Leak, subject: str) -> Record:
    """What the summary and the baseline need of a leak.

    Args:
        leak: Of one test or fixture.
        subject: Its id.
    """
    place = place_of(leak)
    return {
        "kind": place.kind,
        "filename": place.filename,
        "lineno": leak.site.lineno,
        "function": place.function,
        "source": place.source,
        "count": leak.count,
        "request": request(leak),
        "hint": leak.hint,
        "subject": subject,
        "known": False,
    }


def crowd_record(crowd: Crowd, subject: str) -> Record:
    """What the summary needs of more open responses than a marker allows.

    Args:
        crowd: The responses.
        subject: The test's id.
    """
    site = crowd.sites[-1]
    return {
        "kind": MAX_OPEN,
        "filename": site.filename,
        "lineno": site.lineno,
        "function": site.function,
        "source": source_line(site),
        "count": 1,
        "request": str(crowd),
        "hint": "close each response before the next is opened",
        "subject": subject,
        "known": False,
    }


def place_of_record(record: Record) -> Place:
    """What a baseline knows the leak by."""
    return Place(
        record["kind"], record["filename"], record["function"], record["source"]
    )
