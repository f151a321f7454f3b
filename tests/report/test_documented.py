"""docs/json-lines.md names every field of the schema, and the schema every field."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from httpguard import Leak, OpenResponse
from httpguard._model import event as _event
from httpguard._model.leak import Frame
from tests.program import ROOT

TEXT = (ROOT / "docs" / "json-lines.md").read_text(encoding="utf-8")
SCHEMA = json.loads(
    (ROOT / "httpguard" / "_reporting" / "json_lines.schema.json").read_text()
)


def named(node: Any) -> set[str]:
    """The properties anywhere in a schema."""
    found: set[str] = set()
    if isinstance(node, dict):
        found.update(node.get("properties", ()))
        node = list(node.values())
    if isinstance(node, list):
        found = found.union(*map(named, node))
    return found


def test_the_page_names_every_field_of_the_schema() -> None:
    words = set(re.findall(r"`([a-z_]+)`", TEXT))
    assert named(SCHEMA) - words == set()


@pytest.mark.parametrize(
    ("kind", "definition"),
    [(Leak, "leak"), (OpenResponse, "open_response"), (Frame, "frame")],
)
def test_the_schema_names_every_field(kind: Any, definition: str) -> None:
    known = set(SCHEMA["$defs"][definition]["properties"])
    assert {each.name for each in fields(kind)} - known == set()


def test_the_page_names_every_event() -> None:
    events = {
        value
        for name, value in vars(_event).items()
        if name.isupper() and isinstance(value, str)
    }
    assert len(events) > 8
    assert {event for event in events if f"`{event}`" not in TEXT} == set()
