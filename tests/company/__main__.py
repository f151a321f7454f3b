"""``python -m tests.company COMPANION URL ORDER...``."""

from __future__ import annotations

import json
import sys

from ._orders import observe

if __name__ == "__main__":
    name, url, *orders = sys.argv[1:]
    json.dump({order: observe(name, order, url) for order in orders}, sys.stdout)
