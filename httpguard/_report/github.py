"""The report as annotations of a GitHub workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._model.words import many
from .result import shorten, what_leaked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .result import Report, Site


def commands(report: Report, root: str) -> Iterator[str]:
    """One line for each site, for the standard output of a step.

    `root` is the directory that the repository is at, where the log was written.
    """
    for site in report.sites:
        file = escape_property(shorten(site.filename, root))
        line = f",line={site.lineno}" if site.lineno else ""
        title = escape_property(f"httpguard: {name_of(site.kind)}")
        text = escape(describe(site))
        yield f"::warning file={file}{line},title={title}::{text}"
    for problem, count in report.reading.problems.items():
        title = escape_property("httpguard: damaged lines")
        yield f"::notice title={title}::{escape(f'{count} {problem}')}"


def name_of(kind: str) -> str:
    """A kind of leak in two words: ``dropped response``."""
    noun = what_leaked(kind)
    return f"leaked {noun}" if noun == kind else f"{kind} {noun}"


def describe(site: Site) -> str:
    """A site's leaks in a few sentences, for a tool that shows the line itself."""
    noun, lost = what_leaked(site.kind), "opened here {} never given back"
    if noun == "session":
        lost = "made here {} never closed"
    processes = many(site.processes, "process", "processes")
    text = (
        f"A {noun} {lost.format('was')} ({site.kind})."
        if site.leaks == 1
        else f"{site.leaks:,} {noun}s {lost.format('were')} ({site.kind}; {processes})."
    )
    if site.example.request:
        text += f" For example {site.example.request}."
    if site.example.hint:
        text += f" Fix: {site.example.hint}."
    return text


def escape(text: str) -> str:
    """A message, escaped as `@actions/core` does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    return escape(text).replace(":", "%3A").replace(",", "%2C")
