"""The site: the application's own line, wherever the application lives."""

from __future__ import annotations

import _thread
import threading
import zipapp
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
import urllib3

import httpguard
from httpguard import LeakError
from httpguard._stacks import sites
from httpguard._stacks.ownership import (
    Origins,
    is_application,
    module_matches,
    module_of,
)
from httpguard._stacks.sites import Proven, find_site, source_line, symbolize
from httpguard._text.leaks import describe
from tests.program import line_of, run, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from httpguard import Leak
    from httpguard._stacks.raw import RawStack
    from tests.conftest import GuardControl
    from tests.server import Server

SHOW = """
for leak in httpguard.check().leaks:
    print(leak.kind, leak.site.filename, leak.site.lineno, leak.site.function)
"""
FETCH = """
import sys
import httpguard; httpguard.install()
import requests
def fetch():
    return requests.get(sys.argv[1], stream=True).status_code  # LEAK
fetch()
"""
LINE = line_of(FETCH, "# LEAK")
# What a library in site-packages looks like: it opens, it forgets.
LIBRARY = """
import requests
def download(url):
    return requests.get(url, stream=True).status_code
"""
USES_LIBRARY = """
import sys
import httpguard; httpguard.install({settings})
from sdk import download
def sync():
    return download(sys.argv[1])  # LEAK
sync()
"""


@pytest.fixture
def url(server: Server) -> str:
    return server.url("/bytes/90000")


def test_a_script(url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", FETCH + SHOW)
    assert run(program, url).stdout == f"dropped {program} {LINE} fetch\n"


def test_python_c(url: str) -> None:
    assert run("-c", FETCH + SHOW, url).stdout == f"dropped <string> {LINE} fetch\n"


def test_standard_input(url: str) -> None:
    done = run("-", url, input=FETCH + SHOW)
    assert done.stdout == f"dropped <stdin> {LINE} fetch\n"


def test_a_zipapp(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app" / "__main__.py", "import inside")
    write(tmp_path / "app" / "inside.py", FETCH + SHOW)
    archive = tmp_path / "app.pyz"
    zipapp.create_archive(tmp_path / "app", archive)
    done = run(archive, url)
    assert done.stdout == f"dropped {archive / 'inside.py'} {LINE} fetch\n"


def test_a_zipapps_source_is_shown(url: str, tmp_path: Path) -> None:
    write(tmp_path / "app" / "__main__.py", "import inside")
    write(tmp_path / "app" / "inside.py", FETCH)
    archive = tmp_path / "app.pyz"
    zipapp.create_archive(tmp_path / "app", archive)
    assert "return requests.get(sys.argv[1], stream=True)" in run(archive, url).stderr


@pytest.mark.parametrize(
    "name", ["<ipython-input-3-0123abcd>", "/tmp/ipykernel_17/2154.py"]
)
def test_a_notebook(url: str, tmp_path: Path, name: str) -> None:
    cell = write(tmp_path / "cell.txt", FETCH + SHOW)
    program = write(
        tmp_path / "kernel.py",
        f"exec(compile(open({str(cell)!r}).read(), {name!r}, 'exec'))",
    )
    assert run(program, url).stdout == f"dropped {name} {LINE} fetch\n"


def site_packages(tmp_path: Path, **modules: str) -> dict[str, str]:
    directory = tmp_path / "lib" / "site-packages"
    for name, source in modules.items():
        write(directory / f"{name}.py", source)
    return {"PYTHONPATH": f"{directory}:{Path(__file__).parent.parent}"}


def test_inside_an_sdk_it_is_the_line_that_called_it(url: str, tmp_path: Path) -> None:
    env = site_packages(tmp_path, sdk=LIBRARY)
    source = USES_LIBRARY.format(settings="") + SHOW
    program = write(tmp_path / "app.py", source)
    done = run(program, url, env=env)
    assert done.stdout == f"dropped {program} {line_of(source, '# LEAK')} sync\n"


@pytest.mark.parametrize("zipped", [False, True], ids=["directory", "zipapp"])
@pytest.mark.parametrize("installed", [True, False])
def test_what_is_installed_beside_the_program_is_a_library(
    url: str, tmp_path: Path, *, installed: bool, zipped: bool
) -> None:
    """As ``pip install --target`` lays it, for AWS Lambda or a zipapp."""
    place = tmp_path / "task"
    write(place / "sdk" / "__init__.py", LIBRARY)
    if installed:
        write(place / "sdk-1.dist-info" / "METADATA", "Name: sdk\nVersion: 1\n")
        write(place / "sdk-1.dist-info" / "RECORD", "sdk/__init__.py,sha256=x,1\n")
    source = USES_LIBRARY.format(settings="") + SHOW
    program = write(place / "__main__.py", source)
    found = place
    if zipped:
        found = tmp_path / "app.pyz"
        zipapp.create_archive(place, found)
    done = run(found if zipped else program, url)
    expected = (
        f"{found / '__main__.py'} {line_of(source, '# LEAK')} sync"
        if installed
        else f"{found / 'sdk' / '__init__.py'} 4 download"
    )
    assert done.stdout == f"dropped {expected}\n"


def test_app_makes_an_installed_package_the_applications(
    url: str, tmp_path: Path
) -> None:
    env = site_packages(tmp_path, sdk=LIBRARY)
    source = USES_LIBRARY.format(settings="app=['sdk']") + SHOW
    program = write(tmp_path / "app.py", source)
    done = run(program, url, env=env)
    expected = tmp_path / "lib" / "site-packages" / "sdk.py"
    assert done.stdout == f"dropped {expected} 4 download\n"


def test_the_package_that_runs_as_main_is_the_applications(
    url: str, tmp_path: Path
) -> None:
    env = site_packages(tmp_path)
    package = tmp_path / "lib" / "site-packages" / "service"
    write(package / "__init__.py", "")
    write(package / "__main__.py", FETCH + SHOW)
    done = run("-m", "service", url, env=env)
    assert done.stdout == f"dropped {package / '__main__.py'} {LINE} fetch\n"


@pytest.mark.parametrize("app", ["", "runner"])
def test_what_the_main_package_runs_is_the_applications(
    app: str, url: str, tmp_path: Path
) -> None:
    """As of ``python -m locust``, whose own client is between."""
    env = site_packages(tmp_path)
    package = tmp_path / "lib" / "site-packages" / "runner"
    write(package / "__init__.py", "")
    write(package / "client.py", LIBRARY)
    write(package / "__main__.py", "import runpy, sys; runpy.run_path(sys.argv.pop(1))")
    source = USES_LIBRARY.format(settings=f"app={app.split()}")
    program = write(
        tmp_path / "app.py", source.replace("from sdk", "from runner.client") + SHOW
    )
    done = run("-m", "runner", program, url, env=env)
    if app:
        assert done.stdout == f"dropped {package / 'client.py'} 4 download\n"
    else:
        line = line_of(source, "# LEAK")
        assert done.stdout == f"dropped {program} {line} sync\n", done.stderr
        assert f"> {package}" not in done.stderr


def test_without_application_code_it_is_the_innermost_other(
    url: str, tmp_path: Path
) -> None:
    env = site_packages(tmp_path, sdk=LIBRARY)
    program = write(
        tmp_path / "app.py",
        f"""
        import sys, threading
        import httpguard; httpguard.install()
        from sdk import download
        thread = threading.Thread(target=download, args=(sys.argv[1],))
        thread.start(); thread.join()
        {SHOW.strip().splitlines()[0]}
            {SHOW.strip().splitlines()[1].strip()}
        """,
    )
    done = run(program, url, env=env)
    expected = tmp_path / "lib" / "site-packages" / "sdk.py"
    assert done.stdout == f"dropped {expected} 4 download\n", done.stderr


def test_the_standard_library_is_not_the_applications() -> None:
    for module in (threading_file(), json_file(), "<frozen importlib._bootstrap>"):
        assert not is_application(module, ())


def threading_file() -> str:
    import threading

    return str(threading.__file__)


def json_file() -> str:
    import json

    return str(json.__file__)


def test_origins_are_judged_once_a_file() -> None:
    origins = Origins()
    assert origins[__file__] is True
    assert origins[str(requests.__file__)] is False
    assert set(origins) == {__file__, str(requests.__file__)}


def test_origins_are_bounded() -> None:
    origins = Origins()
    for number in range(20_000):
        assert origins[f"<cell {number}>"]
    assert len(origins) <= 4096


def test_frames_are_bounded_and_each_is_of_its_own_code() -> None:
    origins, code = Origins(), compile("pass", "<cell>", "exec")
    for number in range(5_000):
        # Freed at once, if nobody keeps it: the next one has its address.
        site = find_site((code.replace(co_name=f"cell_{number}"), 0), origins)
        assert site.function == f"cell_{number}"
        sites._line.cache_clear()  # It keeps code too.
    assert len(origins.frames) <= 4096


GENERATED = """
import sys
import httpguard; httpguard.install()
from dataclasses import dataclass, field
from functools import partial
import requests
def fetch():
    get = partial(requests.get, sys.argv[1], stream=True)
    @dataclass
    class Download:
        response: object = field(default_factory=get)
    Download()  # LEAK
fetch()
"""


def test_a_generated_method_is_no_site(url: str, tmp_path: Path) -> None:
    program = write(tmp_path / "app.py", GENERATED + SHOW)
    line = line_of(GENERATED, "# LEAK")
    assert run(program, url).stdout == f"dropped {program} {line} fetch\n"


@pytest.mark.parametrize(
    "name",
    [
        "<@beartype(sdk.download) at 0x7f2c>",
        "<boltons.funcutils.FunctionBuilder-0>",
        "<cattrs generated structure sdk.Download>",
        "<adaptix generated model_loader>",
        "<decorator-gen-1>",
        "<string>",
    ],
)
def test_what_a_library_has_generated_is_no_site_and_nobody_to_tell(
    name: str, url: str, tmp_path: Path
) -> None:
    library = f"""
    import requests
    def fetch(url):
        return requests.get(url, stream=True).status_code
    made = {{"fetch": fetch}}
    source = "def download(url): return fetch(url)"
    exec(compile(source, {name!r}, "exec"), made)
    download = made["download"]
    """
    env = site_packages(tmp_path, sdk=library)
    source = USES_LIBRARY.format(settings="") + SHOW
    program = write(tmp_path / "app.py", source)
    done = run(program, url, env=env)
    assert done.stdout == f"dropped {program} {line_of(source, '# LEAK')} sync\n"
    assert "what `fetch` of sdk returned" in done.stderr


def test_who_leaked_is_trusted_no_more_after_any_number_of_places() -> None:
    proven, origins = Proven(32), Origins()
    codes = [compile("0", f"<cell {number}>", "exec") for number in range(20_000)]

    def stack(code: CodeType) -> RawStack:
        return (code, 0) * 20

    proven.distrust((codes[0], 0))
    for code in codes[1:]:
        proven.learn(stack(code), origins, in_task=False)
    for _ in range(20):
        proven.learn(stack(codes[0]), origins, in_task=False)
        proven.learn(stack(codes[-1]), origins, in_task=False)
    assert id(codes[0]) not in proven
    assert id(codes[-1]) in proven
    for code in codes:
        proven.distrust((code, 0))
    for _ in range(20):
        proven.learn(stack(codes[0]), origins, in_task=False)
    assert len(proven) == 0
    assert len(proven._counts) <= 4096


def test_modules_are_named() -> None:
    assert module_of(__file__) == __name__
    assert module_of("<string>") == "__main__"
    assert module_of("/x/site-packages/pkg/sub/mod.py") == "pkg.sub.mod"
    assert module_of("/x/dist-packages/pkg/__init__.py") == "pkg"
    assert module_of("/srv/app/worker.py") == "worker"


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("pkg.sub", "pkg", True),
        ("pkg", "pkg", True),
        ("pkgs", "pkg", False),
        ("pkg.sub.mod", "pkg.*.mod", True),
        ("pkg", "pkg.sub", False),
    ],
)
def test_module_patterns(name: str, pattern: str, *, expected: bool) -> None:
    assert module_matches(name, pattern) is expected


def test_the_whole_stack_is_kept_to_its_depth(guard: GuardControl, url: str) -> None:
    guard.install(stack_depth=5)

    def down(depth: int) -> None:
        if depth:
            down(depth - 1)
        else:
            requests.get(url, stream=True)

    down(20)
    (leak,) = guard.check().leaks
    own = [frame for frame in leak.stack if frame.application]
    assert [frame.function for frame in own] == ["down"] * 5
    assert leak.stack[-1].function == "request"
    assert source_line(leak.site) == "requests.get(url, stream=True)"


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_more_is_kept_than_was_asked_for(
    guard: GuardControl, url: str, depth: int
) -> None:
    guard.install(stack_depth=depth)
    pool = urllib3.connection_from_url(url)

    def down(levels: int) -> None:
        if levels:
            down(levels - 1)
        else:
            pool.urlopen("GET", "/bytes/90000", preload_content=False)

    for _ in range(20):
        pool.urlopen("GET", "/lines", preload_content=False).drain_conn()
        down(9)
        (leak,) = guard.check().leaks
        own = [frame for frame in leak.stack if frame.application]
        assert [frame.function for frame in own] == ["down"] * depth


def _from_afar(levels: int, work: Callable[[], object]) -> None:
    """Call something from so many frames up."""
    if levels > 1:
        _from_afar(levels - 1, work)
    else:
        work()


class TestALineWhoseResponsesEndWell:
    """Its stacks are kept in brief, until it leaks."""

    def open(self) -> None:
        response = self.session.get(self.url, stream=True)
        if self.reads:
            assert response.content

    @pytest.fixture(autouse=True)
    def _pool(self, guard: GuardControl, url: str) -> Iterator[None]:
        guard.install()
        self.session = requests.Session()
        self.url = url
        self.reads = True
        yield
        del self.session  # pytest keeps who has it until the end.

    def leak(self, levels: int) -> tuple[Leak, list[str]]:
        """Leak one, and tell of it and of the frames of ours."""
        self.reads = False
        _from_afar(levels, self.open)
        self.reads = True
        (leak,) = httpguard.check().leaks
        assert (leak.kind, leak.site.function) == ("dropped", "open")
        assert leak.site.lineno == self.open.__code__.co_firstlineno + 1
        own = [frame for frame in leak.stack if frame.filename == __file__]
        return leak, [frame.function for frame in own]

    def test_the_first_leak_has_a_stack_in_brief(self) -> None:
        for _ in range(16):
            _from_afar(20, self.open)
        leak, own = self.leak(20)
        assert own == ["_from_afar"] * 3 + ["open"]
        assert [frame.cut for frame in leak.stack] == [True] + [False] * 5
        text = describe(leak)
        assert text.count("… (not kept") == 1
        assert "\n    … (not kept" in text

    def test_the_next_one_has_the_whole_stack(self) -> None:
        for _ in range(30):
            _from_afar(20, self.open)
        self.leak(20)
        for _ in range(30):
            _from_afar(20, self.open)
        leak, own = self.leak(20)
        assert leak.count == 2
        assert own[-21:] == ["_from_afar"] * 20 + ["open"]
        assert not any(frame.cut for frame in leak.stack)
        assert "not kept" not in describe(leak)

    def test_fifteen_are_not_enough(self) -> None:
        for _ in range(15):
            _from_afar(20, self.open)
        leak, own = self.leak(20)
        assert own[-21:] == ["_from_afar"] * 20 + ["open"]
        assert not any(frame.cut for frame in leak.stack)

    def test_a_module_far_above_excuses_all_the_same(self, guard: GuardControl) -> None:
        guard.install(ignore=["pluggy"])
        for _ in range(30):
            _from_afar(20, self.open)
        self.reads = False
        _from_afar(20, self.open)
        snapshot = httpguard.check()
        assert not snapshot.leaks
        assert snapshot.counters["excused"] == 1

    def test_other_lines_are_not_trusted_for_it(self) -> None:
        for _ in range(30):
            _from_afar(
                20, lambda: self.session.get(self.url, stream=True).content and None
            )
        _, own = self.leak(20)
        assert own[-21:] == ["_from_afar"] * 20 + ["open"]

    def test_a_promise_is_judged_by_whole_stacks(self) -> None:
        for _ in range(30):
            _from_afar(20, self.open)
        with pytest.raises(LeakError) as caught, httpguard.no_leaks():
            self.reads = False
            _from_afar(20, self.open)
        (leak,) = caught.value.leaks
        assert len([f for f in leak.stack if f.function == "_from_afar"]) == 20

    def test_a_small_depth_is_kept_to(self, guard: GuardControl) -> None:
        guard.install(stack_depth=5)
        for _ in range(30):
            _from_afar(20, self.open)
        leak, own = self.leak(20)
        assert own == ["_from_afar"] * 4 + ["open"]
        assert not any(frame.cut for frame in leak.stack)

    def test_a_stack_that_ends_there_is_not_cut(self) -> None:
        done = threading.Event()
        _thread.start_new_thread(self.few, (done,))
        assert done.wait(60)
        (leak,) = httpguard.check().leaks
        assert leak.site.function == "open"
        assert not any(frame.cut for frame in leak.stack)

    def few(self, done: threading.Event) -> None:
        """From the first frame of a thread."""
        for _ in range(30):
            self.open()
        self.reads = False
        self.open()
        done.set()


def test_an_empty_stack_has_a_site_all_the_same() -> None:
    assert find_site((), Origins()).filename == "<unknown>"
    assert symbolize((), Origins()) == ()


def test_an_instruction_without_a_line_has_the_functions_first() -> None:
    code = test_an_empty_stack_has_a_site_all_the_same.__code__
    site = find_site((code, 1_000_000), Origins())
    assert site.lineno == code.co_firstlineno
