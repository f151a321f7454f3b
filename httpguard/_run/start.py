"""From the options of `httpguard run` to its exit code: files, program, table."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Final, NamedTuple

from .._model.errors import ConfigError
from .._model.project import read_project, with_project
from .._model.settings import check, load_settings, unknown_variables
from .child import become, run_child
from .environment import NO_RUN, VERBOSE, guarded_environment
from .target import TargetError, find_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._baseline.baseline import Baseline
    from .options import Options
    from .target import Target

# As LeakSanitizer's.
LEAKED: Final = 23
# A killed process loses what it leaked since the last sweep.
_CHECK_INTERVAL: Final = "1"


def prepare(program: list[str], options: Options) -> Run:
    """Check everything before the program begins. Raises `HTTPGuardError`."""
    variables = _variables(options)
    settings = load_settings({}, {**os.environ, **variables})
    if options.log is not None:
        check_log(options.log)
    if settings.log is not None:
        # Child processes may have another working directory.
        variables["HTTPGUARD_LOG"] = os.path.abspath(settings.log)
    tolerated = settings.max_leaks if settings.strict else None
    project = read_project(os.getcwd())
    fail = options.fail
    if fail is None:
        fail = project.options["run"].get("fail", False)
    baseline = options.baseline
    if baseline is None and not options.become:
        baseline = project.baseline
    known = None
    if baseline:
        from .._baseline.baseline import load_known

        known = load_known(baseline)
    run = Run(
        find_target(program, os.environ),
        options,
        variables,
        known,
        0 if fail else tolerated,
        enabled=settings.enabled,
    )
    if options.become:
        _refuse_beside_exec(options)
    for text in unknown_variables(os.environ):
        _warn(text)
    if not settings.enabled and options.become:
        _warn("the setting enabled is off: nothing is guarded")
    return run


def _variables(options: Options) -> dict[str, str]:
    """What the project and the command line say, as variables of the environment."""
    told = with_project(os.environ, os.getcwd())
    variables = {
        "HTTPGUARD_CHECK_INTERVAL": _CHECK_INTERVAL,
        **{name: told[name] for name in told if name.startswith("HTTPGUARD_")},
    }
    for name, value in options.settings().items():
        option = "--" + name.replace("_", "-")
        if not value.strip():
            raise ConfigError(f"{option}={value!r} is not accepted: it is empty")
        check(name, value, option)
        variables["HTTPGUARD_" + name.upper()] = value
    return variables


def check_log(path: str) -> None:
    """Make sure that the log can be written, without making it."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        reason = "it is a directory"
    elif not os.path.isdir(folder):
        reason = f"there is no directory {folder}"
    elif os.path.exists(path):
        reason = "" if os.access(path, os.W_OK) else "it may not be written"
    else:
        allowed = os.access(folder, os.W_OK | os.X_OK)
        reason = "" if allowed else f"nothing may be written in {folder}"
    if reason:
        raise ConfigError(f"--log={path!r} is not accepted: {reason}")


def _refuse_beside_exec(options: Options) -> None:
    """Options that need somebody to wait for the program's end."""
    given = {
        "--fail": bool(options.fail),
        "--baseline": options.baseline is not None,
        "--json": options.as_json,
        "--quiet": options.quiet,
        "--verbose": options.verbose,
    }
    for name, is_given in given.items():
        if is_given:
            raise ConfigError(f"{name} has no effect beside --exec")


def _warn(message: str) -> None:
    sys.stderr.write(f"httpguard run: {message}\n")


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
            from .._baseline.baseline import Baseline
            from .outcome import read_outcome, tell

            outcome = read_outcome(run)
        comparison = (self.baseline or Baseline()).split(outcome.found)
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
