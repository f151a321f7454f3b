"""The addresses of our own pages: requests to them get no lease."""

from __future__ import annotations

from typing import Final

ADDRESSES: Final[set[tuple[str, int | None]]] = set()
"""Host and port as urllib3's pools name them; empty unless a page is served."""
