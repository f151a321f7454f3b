"""Clients that nobody guards, of which the log says so."""

from __future__ import annotations

from typing import Final

STRANGERS: Final = {
    "niquests": "it stands on urllib3-future, whose connections come back by other ways"
}
"""Why, by the package. They are left alone, and `no_leaks` does not know of them."""
