"""A run from its begin to its end: files, program, table, exit code."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Final, NamedTuple

from .._baseline import Comparison
from .child import become, run_child
from .environment import NO_RUN, VERBOSE, guarded_environment
from .target import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._baseline.baseline import Baseline
    from .._report.result import Site
    from .options import Options
    from .outcome import Outcome
    from .target import Target

# As LeakSanitizer's.
LEAKED: Final = 23


class Run(NamedTuple):
    """What is run, and how.

    Args:
        settings: Variables that the command's options stand for.
        baseline: Known leaks, which are not shown and fail nothing.
        tolerated: More leaks than this make the exit code `LEAKED` where it would be
            0. None: no number of them does.
        enabled: False: the settings say that nothing is to be guarded.
    """

    target: Target
    options: Options
    settings: Mapping[str, str]
    baseline: Baseline | None
    tolerated: int | None
    enabled: bool

    def start(self) -> int:
        """Run the program and show what leaked, or become it.

        Returns the exit code; negative: the signal that ended the program. Raises
        `TargetError` where it could not be started.
        """
        try:
            if self.options.become:
                become(self.target, guarded_environment(self.settings, NO_RUN))
            return self._run()
        except OSError as error:
            name = self.target.arguments[0]
            raise TargetError(
                f"cannot run {name!r}: {error.strerror or error}"
            ) from None

    def _run(self) -> int:
        told = {VERBOSE: "1"} if self.options.verbose else {}
        with _files() as run:
            environment = guarded_environment({**self.settings, **told}, run)
            code = run_child(self.target, environment)
            # What only the end needs is imported at the end.
            from .outcome import read_outcome
            from .telling import tell

            outcome = read_outcome(run)
        comparison = self._compare(outcome)
        try:
            tell(outcome, comparison, self.options, enabled=self.enabled)
        except KeyboardInterrupt:
            pass
        except OSError:
            # Whoever reads standard error has gone, a terminal that hung up say. What
            # cannot be flushed at exit would make the code 120.
            sys.stderr = None
        leaks = sum(site.leaks for site in comparison.new)
        failed = self.tolerated is not None and leaks > self.tolerated
        return LEAKED if failed and code == 0 else code

    def _compare(self, outcome: Outcome) -> Comparison[Site]:
        if self.baseline is None:
            return Comparison(outcome.found)
        from .._baseline.baseline import place_at

        return self.baseline.split(
            outcome.found, lambda site: place_at(site.kind, site.frame, site.source)
        )


@contextlib.contextmanager
def _files() -> Iterator[str]:
    """The start of the names of a run's files, which are there for its time."""
    directory = tempfile.mkdtemp(prefix="httpguard-run-")
    try:
        # Where a server's workers give up root's rights, they still report. The
        # name cannot be guessed, and the directory not be listed.
        shared = hasattr(os, "geteuid") and os.geteuid() == 0
        run = os.path.join(directory, os.urandom(16).hex())
        if shared:
            os.chmod(directory, 0o711)  # noqa: S103  # See above.
        for suffix in (".jsonl", ".processes"):
            with open(run + suffix, "xb"):
                pass
            if shared:
                os.chmod(run + suffix, 0o622)  # noqa: S103  # See above.
        yield run
    finally:
        shutil.rmtree(directory, ignore_errors=True)
