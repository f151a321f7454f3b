"""Reporting: where events go, one file for each destination."""

from __future__ import annotations

from .logs import Destinations, Members, Run

__all__ = ["Destinations", "Members", "Run"]
