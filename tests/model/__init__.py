"""A model of the guard, and random programs that both of them watch.

`_ledger` is the model: written from the design and from what urllib3 documents,
it knows nothing of the guard's code. `_machine` runs the programs (hypothesis'
stateful testing over real clients and a real server), tells the ledger what each
step did, and compares at every check. `_sites` are the lines that open responses,
`_handles` what a program does with one, `_compare` the comparison.
"""

from __future__ import annotations

from ._machine import Program
from ._statistics import STATISTICS

__all__ = ["STATISTICS", "Program"]
