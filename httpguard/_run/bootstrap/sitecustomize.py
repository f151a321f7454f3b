"""Run by every Python process under `httpguard run` as it starts.

The directory of this file is on PYTHONPATH, so that ``site`` imports it. It
imports nothing: a program whose own module has the name of one in the standard
library shall find its own, as without httpguard. httpguard itself comes with the
program's first import of an HTTP client. Any interpreter may start this file, older
ones than httpguard supports included.
"""

import os
import sys

# Whatever guarded client a program imports, it imports one of these.
MYPY = False
if MYPY:
    from typing import Any

_CLIENTS = ("urllib3", "httpx", "httpx2", "aiohttp", "http.client")


class _Guard:
    """A finder on `sys.meta_path` that installs httpguard before a client comes."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.installed = False

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Find nothing; but before a client is found, install httpguard.

        Then ask its import hooks, which came in front of those that were asked already.
        The finder stays where it is: taking itself off would make another thread
        that imports something skip the one behind it.
        """
        if name in _CLIENTS and not self.installed:
            self.installed = True
            before = [id(finder) for finder in sys.meta_path]
            self.install()
            for finder in list(sys.meta_path):
                if finder is self:
                    break
                if id(finder) not in before:
                    spec = finder.find_spec(name, path, target)
                    if spec is not None:
                        return spec
        return None

    def install(self) -> None:
        """Install httpguard; whatever goes wrong, the program goes on."""
        try:
            from httpguard._run.inside import begin

            begin(self.run)
        except Exception as error:
            self.note("unguarded", type(error).__name__ + ": " + str(error))

    def is_installed(self) -> bool:
        """Whether this interpreter finds httpguard, without importing it."""
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if find is not None and find("httpguard", None, None) is not None:
                return True
        return False

    def note(self, word: str, reason: str = "") -> None:
        """Tell the run about this process; where nobody reads that, the user."""
        interpreter = sys.executable or "python"
        if self.run == "-":
            if reason:
                text = "httpguard run: " + interpreter + " is not guarded: " + reason
                sys.stderr.write(text + "\n")
            return
        line = "\t".join((word, interpreter, reason.replace("\n", " "))) + "\n"
        try:
            descriptor = os.open(self.run + ".processes", os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line.encode("utf-8", "replace"))
            finally:
                os.close(descriptor)
        except OSError:  # The run is over.
            pass

    def begin(self) -> None:
        try:
            if self.is_installed():
                sys.meta_path.insert(0, self)
                self.note("guarded")
            else:
                self.note("unguarded", "httpguard is not installed there")
        except Exception as error:
            self.note("unguarded", type(error).__name__ + ": " + str(error))


_here = os.path.dirname(os.path.abspath(__file__))
# The program's sys.path is what it would be without us.
sys.path[:] = [path for path in sys.path if path != _here]
sys.path_importer_cache.pop(_here, None)
if "_HTTPGUARD_RUN" in os.environ:
    _Guard(os.environ["_HTTPGUARD_RUN"]).begin()

# The user's own, if there is one, takes this one's place; what it raises, site
# reports as ever.
_ours = sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError as _error:
    if _error.name != "sitecustomize":
        raise
finally:
    # The import of this file is not over, and needs something there.
    if _ours is not None:
        sys.modules.setdefault("sitecustomize", _ours)
