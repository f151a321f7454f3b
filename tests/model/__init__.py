"""A model of the guard, and random programs that both of them watch.

`_ledger` is the model: written from the design and from what urllib3 documents,
it knows nothing of the guard's code. The programs are hypothesis' stateful tests
over real clients and a real server: `_program` has what all steps need, `_opening`,
`_reading`, `_ending`, `_keeping` and `_telling` the steps, by what they do to a
response; `_tasks` has smaller ones, of coroutines. Each step tells the ledger what it
did, and at every check the two are compared (`_compare`). `_sites` are the lines that
open responses, `_bodies` what they ask for, `_handles` what a program has in hands;
`_run` runs them.
"""

from __future__ import annotations

from ._run import figures, run_programs

__all__ = ["figures", "run_programs"]
