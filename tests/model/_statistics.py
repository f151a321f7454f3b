"""What a run of the model did, for the line it ends with."""

from __future__ import annotations

from collections import Counter
from typing import Final

STATISTICS: Final[Counter[str]] = Counter()
"""``programs``, ``steps``, ``comparisons``, and ``leaks`` and the like as the
ledger counted them."""
