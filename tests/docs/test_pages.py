"""README and the pages of docs/: how long, where links lead, what the site has."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from httpguard._clients.patching import Package
from httpguard._leases.client import Client
from httpguard._pools.kind import PoolKind
from httpguard._report.notice import Notice
from httpguard._report.result import Program, Reading, Report, Site, Trend
from tests.program import ROOT

if TYPE_CHECKING:
    from pathlib import Path

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *DOCS,
    *(
        page
        for name in ("benchmarks", "downstream", "examples")
        for page in sorted((ROOT / name).rglob("*.md"))
    ),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAV = re.compile(r": (\S+\.md)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """As GitHub and MkDocs make them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in HEADING.findall(page.read_text("utf-8"))
    }


def test_the_readme_is_short() -> None:
    assert len(README.read_bytes()) <= 8192


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link, anchor in LINK.findall(page.read_text("utf-8")):
        target = page.parent / link if link else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def test_each_page_is_in_the_site_and_linked_from_the_readme() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in DOCS}
    assert pages <= set(NAV.findall((ROOT / "mkdocs.yml").read_text("utf-8")))
    links = {link for link, _ in LINK.findall(README.read_text("utf-8"))}
    assert {f"docs/{page}" for page in pages} <= links


@pytest.mark.parametrize("part", [Notice, Program, Reading, Report, Site, Trend])
def test_the_json_of_a_report_is_told(part: type) -> None:
    page = (ROOT / "docs/reading-logs.md").read_text("utf-8")
    told = set(re.findall(r"`(\w+)`", page[page.index("## The JSON") :]))
    assert {field.name for field in fields(part)} <= told


@pytest.mark.parametrize("interface", [Client, Package, PoolKind])
def test_what_a_client_is_asked_is_told(interface: type) -> None:
    page = (ROOT / "docs/adding-a-client.md").read_text("utf-8")
    told = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", page))
    asked = {*vars(interface), *getattr(interface, "__annotations__", ())}
    assert {name for name in asked if not name.startswith("_")} <= told
