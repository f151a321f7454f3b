"""The report as SARIF 2.1.0, for code scanning services and editors."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from .._model.kinds import CODES, explain
from .github import describe, name_of
from .result import WEIGHTS, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .result import Report, Site

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_RULES: Final = {
    "dropped": "A response was collected while it still held its connection",
    "held": "A response is kept open and nothing is read from it",
    "unreleased": "A response was closed without giving its pool's slot back",
    "open": "A response was still open when a scope ended that promised otherwise",
    "session": "One line made too many sessions or pool managers and closed none",
}


def to_sarif(report: Report, root: str) -> dict[str, Any]:
    """The log with its one run; files are given relative to a directory."""
    from .._model.version import __version__

    fingerprints = _fingerprints(report.sites, root)
    kinds = [*_RULES, *{site.kind for site in report.sites} - set(_RULES)]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "httpguard",
                        "version": __version__,
                        "rules": [_rule(kind) for kind in kinds],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {_ROOT: {"uri": _directory(root)}},
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "endTimeUtc": f"{report.made:%Y-%m-%dT%H:%M:%S.%fZ}",
                        "toolExecutionNotifications": [
                            {
                                "level": "note",
                                "message": {"text": f"damaged line: {line}"},
                            }
                            for line in report.reading.damaged
                        ],
                    }
                ],
                "results": [
                    _result(site, kinds.index(site.kind), fingerprints[site], root)
                    for site in report.sites
                ],
            }
        ],
    }


def _rule(kind: str) -> dict[str, Any]:
    text = _RULES.get(kind, f"A response leaked ({kind})")
    if kind in CODES:
        help_text = {"text": explain(kind), "markdown": explain(kind)}
    else:  # Of another version.
        help_text = {"text": "See the hint in the message of each result."}
    return {
        "id": CODES.get(kind, kind),
        "name": name_of(kind).title().replace(" ", ""),
        "shortDescription": {"text": text},
        "fullDescription": {"text": f"{text}."},
        "defaultConfiguration": {"level": _level(kind)},
        "help": help_text,
    }


def _level(kind: str) -> str:
    return "error" if WEIGHTS.get(kind, 1) >= WEIGHTS["held"] else "warning"


def _result(site: Site, rule: int, fingerprint: str, root: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": CODES.get(site.kind, site.kind),
        "ruleIndex": rule,
        "level": _level(site.kind),
        "message": {"text": describe(site)},
        "locations": [_location(site.filename, site.lineno, site.function, root)],
        "partialFingerprints": {"httpguardSite/v1": fingerprint},
        "occurrenceCount": max(site.leaks, 1),
        "properties": {
            "harm": site.harm,
            "resolved": site.resolved,
            "processes": site.processes,
            "firstSeen": site.first_seen.isoformat() if site.first_seen else None,
            "lastSeen": site.last_seen.isoformat() if site.last_seen else None,
        },
    }
    if site.example.stack:
        # The innermost frame first.
        frames = [
            {
                "location": _location(
                    it.filename, it.lineno, it.function, root, it.source
                )
            }
            for it in reversed(site.example.stack)
        ]
        message = {"text": "How the response was opened"}
        result["stacks"] = [{"message": message, "frames": frames}]
    return result


def _fingerprints(sites: Sequence[Site], root: str) -> dict[Site, str]:
    """What stays the same when lines move: kind, file, function and source text.

    Of lines that are alike in all of these, the first in the file comes first.
    """
    seen = Counter[str]()
    made = {}
    for site in sorted(sites, key=lambda site: site.lineno):
        name = shorten(site.filename, root)
        parts = f"{site.kind}\0{name}\0{site.function}\0{site.source}"
        seen[parts] += 1
        if seen[parts] > 1:
            parts += f"\0{seen[parts]}"
        digest = hashlib.sha256(parts.encode("utf-8", "replace"))
        made[site] = digest.hexdigest()[:32]
    return made


def _location(
    filename: str, lineno: int, function: str, root: str, source: str = ""
) -> dict[str, Any]:
    name = shorten(filename, root)
    # The URI is of the machine the log is from, which may have other rules.
    artifact = (
        {"uri": "file://" + quote(PurePath(name).as_posix())}
        if os.path.isabs(name)
        else {"uri": quote(name.replace(os.sep, "/")), "uriBaseId": _ROOT}
    )
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if lineno > 0:
        physical["region"] = {"startLine": lineno}
        if source:
            physical["region"]["snippet"] = {"text": source}
    location: dict[str, Any] = {"physicalLocation": physical}
    if function:
        location["logicalLocations"] = [{"name": function, "kind": "function"}]
    return location


def _directory(root: str) -> str:
    """A directory as a URI, which has to end with a slash."""
    path = PurePath(os.path.abspath(root)).as_posix()
    return f"file://{quote(path.rstrip('/'))}/"
