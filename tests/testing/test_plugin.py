"""The pytest plugin, in suites of their own: each leak and its innocent twin."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from xml.etree import ElementTree as ET

import pytest

from tests.program import line_of
from tests.testing.suites import (
    LEAKS,
    OPENS,
    Suite,
    dropped,
    errors,
    found,
    left_open,
)

pytest_plugins = ["pytester"]

INSTALLED = bool(entry_points(group="pytest11", name="httpguard"))


def test_a_leaking_test_fails_with_its_line(suite: Suite) -> None:
    source = suite.test("""
        def test_leak():
            assert shop.status() == 200  # calls

        def test_two():
            requests.get(shop.URL, stream=True)  # drops
            shop.status()
            shop.status()

        def test_twin():
            with requests.get(shop.URL, stream=True) as response:
                assert response.ok
            assert requests.get(shop.URL).ok
    """)
    result = suite.run()
    result.assert_outcomes(failed=2, passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert errors(result) == [
        "FAILED test_it.py::test_leak",
        "FAILED test_it.py::test_two",
    ]
    drops = line_of(source, "# drops")
    assert found(result) == [
        f"1 dropped at test_it.py:{drops} in test_two",
        dropped(3),
    ]
    # The leaking line first, its function's source as in a traceback, then who
    # called.
    result.stdout.fnmatch_lines(
        [
            "____* test_leak *____",
            "",
            "    def status():",
            ">       return requests.get(URL, stream=True).status_code  # leaks",
            "E   httpguard: response leaked, dropped: collected while*",
            "E     GET http://*/bytes/90000 * 200 * 0 of 90000 bytes read",
            "E     fix: open it with*",
            "E     more: httpguard explain HG101",
            "",
            f"shop.py:{LEAKS}: dropped",
            "_ _ _*",
            f"test_it.py:{line_of(source, '# calls')}: in test_leak",
            "    assert shop.status() == 200  # calls",
            "____* test_two *____",
        ],
        consecutive=True,
    )
    result.stdout.fnmatch_lines(
        [
            "FAILED test_it.py::test_leak - httpguard: 1 leaked response: dropped*",
            "FAILED test_it.py::test_two - httpguard: 3 leaked responses: dropped*",
        ]
    )
    result.stdout.fnmatch_lines(["  in test_it.py::test_leak, test_it.py::test_two"])
    result.stdout.fnmatch_lines(["4 leaked responses at 2 sites"])


def test_what_is_open_is_judged_after_the_tear_down(suite: Suite) -> None:
    suite.test("""
        KEPT = []

        @pytest.fixture
        def closing():
            opened = []
            yield opened
            for response in opened:
                response.close()

        @pytest.fixture
        def leaking():
            shop.status()

        def test_keeps():
            KEPT.append(shop.opened())

        def test_in_fixture(leaking):
            pass

        def test_twin(closing):
            closing.append(shop.opened())
    """)
    result = suite.run()
    assert errors(result) == [
        "FAILED test_it.py::test_in_fixture",
        "ERROR test_it.py::test_keeps",
    ]
    assert found(result) == [
        dropped(1),
        left_open(1),
    ]
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_keeps*"])
    result.stdout.fnmatch_lines(["E   *open: still open when the test ended"])
    result.stdout.fnmatch_lines(["E     held by: test_it.KEPT (module global)*"])


FIXTURES = """
    KEPT = []

    @pytest.fixture(scope="module")
    def feed():
        KEPT.append(shop.opened())
        yield KEPT[-1]

    @pytest.fixture(scope="class")
    def late():
        yield
        shop.status()

    @pytest.fixture(scope="session")
    def client():
        opened = []
        yield opened
        for response in opened:
            response.close()

    @pytest.fixture(scope="session")
    def twin(client):
        client.append(shop.opened())
        yield client[-1]

    def test_feed(feed, twin):
        assert feed.ok

    class TestLate:
        def test_first(self, late):
            pass

        def test_second(self, late, feed, twin):
            pass

    def test_other(client):
        with shop.opened():
            pass
"""


def test_a_fixtures_leak_is_its_own(suite: Suite) -> None:
    suite.test(FIXTURES)
    result = suite.run("-v")
    result.assert_outcomes(passed=4, errors=2)
    assert errors(result) == [
        "ERROR test_it.py::TestLate::late",
        "ERROR test_it.py::feed",
    ]
    assert found(result) == [
        dropped(1),
        left_open(1),
    ]
    result.stdout.fnmatch_lines(["___* ERROR at teardown of class fixture 'late' *"])
    result.stdout.fnmatch_lines(["___* ERROR at teardown of module fixture 'feed' *"])
    result.stdout.fnmatch_lines(
        [
            (
                "E   *leaked by the module fixture 'feed', open: still open when the "
                "module fixture 'feed' was torn down"
            )
        ]
    )
    assert max(map(int, re.findall(r"\[ *(\d+)%\]", result.stdout.str()))) == 100
    # A fixture is no test that failed last.
    again = suite.run("--lf")
    again.assert_outcomes(passed=4, errors=2)
    again.stdout.fnmatch_lines(["run-last-failure: no previously failed tests*"])


def test_fixtures_of_workers(suite: Suite) -> None:
    suite.test(FIXTURES)
    suite.test("def test_leak(): shop.status()", "test_other.py")
    result = suite.run("-n2", "--dist=loadfile", plugins=("xdist",))
    result.assert_outcomes(passed=4, failed=1, errors=2)
    assert sorted(errors(result)) == [
        "ERROR test_it.py::TestLate::late",
        "ERROR test_it.py::feed",
        "FAILED test_other.py::test_leak",
    ]
    assert found(result) == [
        left_open(1),
        dropped(2),
    ]
    result.stdout.fnmatch_lines([">       return requests.get(URL, stream=True)*"])
    result.stdout.fnmatch_lines(["3 leaked responses at 2 sites"])


def test_test_cases_of_unittest(suite: Suite) -> None:
    suite.test("""
        import unittest

        KEPT = []

        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                KEPT.append(shop.opened())

            def setUp(self):
                self.twin = shop.opened()

            def tearDown(self):
                self.twin.close()

            def test_fails(self):
                shop.status()
                self.assertEqual(1, 2)

            def test_leaks(self):
                shop.status()

            def test_twin(self):
                pass
    """)
    result = suite.run()
    result.assert_outcomes(passed=1, failed=2, errors=1)
    assert "ERROR test_it.py::Case::setUpClass" in errors(result)
    assert found(result) == [
        left_open(1),
        dropped(2),
    ]
    result.stdout.fnmatch_lines(["FAILED test_it.py::Case::test_fails - Assertion*"])


def test_threads(suite: Suite) -> None:
    suite.test("""
        import threading, time
        from concurrent.futures import ThreadPoolExecutor

        GO, DONE, STOP = (threading.Event() for _ in range(3))
        POOL = ThreadPoolExecutor(1)

        @pytest.fixture(scope="module")
        def poller():
            def poll():
                GO.wait()
                shop.status()
                DONE.set()
            thread = threading.Thread(target=poll)
            thread.start()
            yield
            thread.join()

        def test_thread():
            thread = threading.Thread(target=shop.status, name="mine")
            thread.start()
            thread.join()

        def test_starts_the_pool():
            POOL.submit(lambda: shop.opened().close()).result()

        def test_uses_the_pool():
            POOL.submit(shop.status).result()

        def test_while_the_poller_leaks(poller):
            GO.set()
            DONE.wait()

        def test_leaves_a_thread_that_closes_soon():
            opened = threading.Event()
            def serve():
                with shop.opened() as response:
                    opened.set()
                    time.sleep(0.3)
                    response.content
            threading.Thread(target=serve).start()
            opened.wait()

        def test_leaves_a_thread_that_leaks_later():
            threading.Thread(target=lambda: STOP.wait() and shop.status()).start()

        def test_last():
            STOP.set()
            for thread in threading.enumerate():
                if thread.name.startswith("Thread-"):
                    thread.join()
    """)
    result = suite.run()
    assert sorted(errors(result)) == [
        "ERROR test_it.py::poller",
        "ERROR test_it.py::test_leaves_a_thread_that_leaks_later",
        "FAILED test_it.py::test_thread",
        "FAILED test_it.py::test_uses_the_pool",
    ]
    assert found(result) == [dropped(4)]
    result.stdout.fnmatch_lines(["E     opened by thread mine"])
    result.stdout.fnmatch_lines(["*test_leaves_a_thread_that_leaks_later after its*"])


def test_async_tests(suite: Suite) -> None:
    suite.test(
        """
        import asyncio, pytest_asyncio
        pytestmark = pytest.mark.asyncio(loop_scope="module")

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            yield asyncio.get_running_loop()

        async def test_leaks(wide):
            shop.status()

        async def test_leaks_in_a_thread(wide):
            await asyncio.gather(asyncio.to_thread(shop.status), asyncio.sleep(0))

        async def test_twin(wide):
            response = await asyncio.to_thread(shop.opened)
            response.close()
        """
    )
    suite.test(
        """
        import anyio
        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(scope="module")
        async def wide(anyio_backend):
            yield

        async def test_leaks(wide):
            shop.status()

        async def test_leaks_in_a_thread(wide):
            await anyio.to_thread.run_sync(shop.status)

        async def test_twin(wide):
            response = await anyio.to_thread.run_sync(shop.opened)
            response.close()
        """,
        "test_any.py",
    )
    result = suite.run(plugins=("pytest_asyncio.plugin", "anyio.pytest_plugin"))
    result.assert_outcomes(passed=2, failed=4)
    assert sorted(errors(result)) == [
        "FAILED test_any.py::test_leaks",
        "FAILED test_any.py::test_leaks_in_a_thread",
        "FAILED test_it.py::test_leaks",
        "FAILED test_it.py::test_leaks_in_a_thread",
    ]
    assert found(result) == [dropped(4)]


def test_a_failing_test_shows_its_failure(suite: Suite) -> None:
    suite.test("""
        def test_assertion():
            response = shop.opened()
            assert response.status_code == 500

        def test_drops_and_fails():
            shop.status()
            raise KeyError("its own")

        def test_skips():
            pytest.skip("not here")

        @pytest.mark.xfail(strict=True)
        def test_expected():
            response = shop.opened()
            assert response.status_code == 500

        def test_twin():
            import gc
            gc.collect()  # What the tracebacks have kept.
    """)
    result = suite.run("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2, skipped=1, xfailed=1)
    assert found(result) == [dropped(1)]
    result.stdout.fnmatch_lines(
        [
            "E       assert 200 == 500*",
            "E       KeyError: 'its own'",
            "*- httpguard call -*",
            "E   httpguard: response leaked, dropped*",
        ]
    )
    result.stdout.fnmatch_lines(["FAILED *test_drops_and_fails - KeyError*"])


def test_markers(suite: Suite) -> None:
    source = suite.test("""
        KEPT = []

        @pytest.mark.httpguard(allow="the cache keeps it")
        def test_allowed():
            KEPT.append(shop.opened())
            shop.status()

        def many(count):
            opened = [shop.opened() for _ in range(count)]  # many
            for response in opened:
                response.close()

        @pytest.mark.httpguard(max_open=2)
        class TestMany:
            def test_too_many(self):
                many(4)

            def test_twin(self):
                many(2)
                many(2)
                for _ in range(4):
                    requests.get(shop.URL)

            @pytest.mark.httpguard(max_open=5)
            def test_closer_one(self):
                many(5)

        @pytest.mark.httpguard("reason")
        def test_no_name(): pass

        @pytest.mark.httpguard(allow="")
        def test_no_reason(): pass

        @pytest.mark.httpguard(max_open=-1)
        def test_no_number(): pass

        @pytest.mark.httpguard(maximum=5)
        def test_no_such(): pass
    """)
    result = suite.run("--strict-markers")
    result.assert_outcomes(passed=3, failed=1, errors=4)
    assert found(result) == [f"1 max_open at shop.py:{OPENS} in opened"]
    result.stdout.no_fnmatch_line("*leaked response*")
    result.stdout.fnmatch_lines(
        ["E   httpguard: 4 responses open at once, max_open is 2", "*(4 open)"]
    )
    assert line_of(source, "# many")
    for message in (
        "@pytest.mark.httpguard('reason'): 'reason' has no name; accepted: allow=*",
        "@pytest.mark.httpguard(allow=''): allow is ''; accepted: allow=*",
        "@pytest.mark.httpguard(max_open=-1): max_open is -1; accepted: *",
        "@pytest.mark.httpguard(maximum=5): there is no 'maximum'; accepted: *",
    ):
        result.stdout.fnmatch_lines([message])


def test_sessions_that_a_test_leaves(suite: Suite) -> None:
    suite.monkeypatch.setenv("HTTPGUARD_MAX_SESSIONS", "2")
    source = suite.test("""
        KEPT = []

        def login():
            KEPT.append(requests.Session())  # SESSION
            KEPT[-1].get(shop.URL)

        @pytest.fixture(scope="module")
        def wide():
            for _ in range(3):
                login()

        def test_keeps():
            for _ in range(4):
                login()

        def test_uses_the_fixture(wide):
            pass

        @pytest.mark.httpguard(allow="they are shared")
        def test_allowed():
            for _ in range(4):
                login()

        def test_keeps_some():
            login()
            login()

        def test_twin_closes():
            before = len(KEPT)
            for _ in range(4):
                login()
            for session in KEPT[before:]:
                session.close()

        def test_twin_drops():
            for _ in range(4):
                requests.Session().get(shop.URL)
    """)
    result = suite.run()
    assert sorted(errors(result)) == [
        "ERROR test_it.py::test_keeps",
        "ERROR test_it.py::wide",
    ]
    site = f"test_it.py:{line_of(source, '# SESSION')} in login"
    assert found(result) == [f"3 session at {site}"]
    result.stdout.fnmatch_lines(
        [
            "E   httpguard: session leaked, session: 4 sessions of this line, with 4*",
            "E     to http://*",
            "E     fix: make one Session*",
            "3 leaked sessions at 1 site",
        ]
    )


def test_a_crowd_is_of_one_test(suite: Suite) -> None:
    suite.test("""
        @pytest.fixture(scope="module")
        def feeds():
            opened = [shop.opened() for _ in range(3)]
            yield opened
            for response in opened:
                response.close()

        @pytest.mark.httpguard(max_open=2)
        def test_twin(feeds):
            with shop.opened(), shop.opened():
                pass

        @pytest.mark.httpguard(max_open=0)
        def test_none(feeds):
            shop.opened().close()

        @pytest.mark.httpguard(max_open=0)
        def test_twin_of_none(feeds):
            assert requests.get(shop.URL).ok
    """)
    result = suite.run()
    result.assert_outcomes(passed=2, failed=1)
    assert found(result) == [f"1 max_open at shop.py:{OPENS} in opened"]
    result.stdout.fnmatch_lines(["E   *: 1 responses open at once, max_open is 0"])


ONE_LEAK = "def test_leak(): shop.status()"


def test_warn_lists_and_fails_nothing(suite: Suite) -> None:
    suite.test(ONE_LEAK)
    result = suite.run("--httpguard=warn")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert found(result) == [dropped(1)]
    result.stdout.fnmatch_lines(["    return requests.get(URL, stream=True)*"])


def test_it_is_silent_until_asked(suite: Suite) -> None:
    suite.test("""
        import sys

        @pytest.mark.httpguard(allow="known, asked or not")
        def test_leak():
            shop.status()
            assert "httpguard._testing" not in sys.modules
            assert "httpguard._guard.guard" not in sys.modules
            assert "httpguard._model.leak" not in sys.modules
            assert not [name for name in sys.modules if "wrapt" in name]
            assert not hasattr(requests.adapters.HTTPAdapter.send, "__wrapped__")
    """)
    result = suite.run("--strict-markers", asked=False)
    result.assert_outcomes(passed=1)
    assert "httpguard" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytest.ini", "[pytest]\nhttpguard = true\n"),
        ("tox.ini", "[pytest]\nhttpguard = yes\n"),
        ("setup.cfg", "[tool:pytest]\nhttpguard = on\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\nhttpguard = true\n"),
        pytest.param(
            "pyproject.toml",
            "[tool.pytest]\nhttpguard = true\n",
            marks=pytest.mark.skipif(
                pytest.version_tuple < (9, 2), reason="knows no native booleans"
            ),
        ),
    ],
)
def test_every_configuration_file_can_ask(
    suite: Suite, name: str, content: str
) -> None:
    suite.test(ONE_LEAK)
    suite.write(name, content)
    suite.run(asked=False).assert_outcomes(failed=1)


def test_the_command_line_wins(suite: Suite) -> None:
    suite.test(ONE_LEAK, "tests/test_it.py")
    suite.write("pytest.ini", "[pytest]\nhttpguard = warn\n")
    suite.run(asked=False).assert_outcomes(passed=1)
    # What follows is no value of the option.
    suite.run("tests").assert_outcomes(failed=1)
    off = suite.run("--httpguard=off", asked=False)
    off.assert_outcomes(passed=1)
    assert found(off) == []


def test_what_is_not_accepted_is_named(suite: Suite) -> None:
    suite.test(ONE_LEAK)
    result = suite.run("--httpguard=warm", asked=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--httpguard=fail/--httpguard=warn*'warm'"])
    suite.write("pytest.ini", "[pytest]\nhttpguard = maybe\n")
    result = suite.run(asked=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*httpguard = 'maybe' in *pytest.ini; accepted: true, fail, warn, false, off"]
    )


def test_the_environment_counts(suite: Suite) -> None:
    suite.test(ONE_LEAK)
    suite.monkeypatch.setenv("HTTPGUARD_ENABLED", "0")
    suite.run().assert_outcomes(passed=1)
    suite.monkeypatch.setenv("HTTPGUARD_ENABLED", "1")
    suite.monkeypatch.setenv("HTTPGUARD_IGNORE", "*/bytes/*")
    suite.run().assert_outcomes(passed=1)
    suite.monkeypatch.delenv("HTTPGUARD_IGNORE")
    suite.monkeypatch.setenv("HTTPGUARD_EXPLAIN", "0")
    suite.test("KEPT = []\ndef test_keeps(): KEPT.append(shop.opened())")
    result = suite.run()
    assert found(result) == [left_open(1)]
    result.stdout.no_fnmatch_line("*held by:*")
    suite.monkeypatch.setenv("HTTPGUARD_STACK_DEPTH", "deep")
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *HTTPGUARD_STACK_DEPTH*deep*"])
    suite.monkeypatch.delenv("HTTPGUARD_STACK_DEPTH")
    suite.monkeypatch.setenv("HTTPGUARD_SAMPLE", "half")  # It has no say here.
    result = suite.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: HTTPGUARD_SAMPLE='half' is not accepted: *"])


def test_a_variable_that_is_no_setting_is_named(suite: Suite) -> None:
    suite.test("def test_twin(): pass")
    suite.monkeypatch.setenv("HTTPGUARD_IGNROE", "*")
    result = suite.run()
    result.assert_outcomes(passed=1)
    told = "there is no setting HTTPGUARD_IGNROE; did you mean HTTPGUARD_IGNORE[?]"
    result.stdout.fnmatch_lines([told])


def test_what_would_change_a_test_is_not_taken_from_the_environment(
    suite: Suite,
) -> None:
    suite.test("""
        def test_goes_on_after_a_leak():
            shop.status()
            shop.status()
            with shop.opened(), shop.opened():
                pass
    """)
    for name in ("MAX_OPEN", "STRICT"):
        suite.monkeypatch.setenv(f"HTTPGUARD_{name}", "1")
    suite.monkeypatch.setenv("HTTPGUARD_SAMPLE", "0")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert found(result) == [dropped(2)]
    result.stdout.no_fnmatch_line("*too many open*")


def test_the_first_leak_stops(suite: Suite) -> None:
    suite.test(
        "def test_leak(): shop.status()\ndef test_never(): raise AssertionError\n"
    )
    suite.run("-x").assert_outcomes(failed=1)


def test_reruns_begin_anew(suite: Suite) -> None:
    suite.test("""
        RUNS = []

        def test_leaks_once():
            RUNS.append(1)
            if len(RUNS) == 1:
                shop.status()

        def test_leaks_always():
            shop.status()
    """)
    result = suite.run("--reruns=1", plugins=("pytest_rerunfailures",))
    result.assert_outcomes(passed=1, failed=1)
    assert errors(result) == ["FAILED test_it.py::test_leaks_always"]
    assert found(result) == [dropped(3)]


def test_the_debugger_has_the_leaks(suite: Suite) -> None:
    suite.test(ONE_LEAK)
    commands = b"p [str(leak.site) for leak in __exception__[1].leaks]\nc\n"
    result = suite.run("--pdb", stdin=commands)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*entering PDB*"])
    result.stdout.fnmatch_lines([f"*shop.py:{LEAKS} in status*"])


def test_doctests(suite: Suite) -> None:
    suite.write(
        "guide.txt",
        """
        First:

        >>> import shop
        >>> shop.opened().close()
        >>> response = shop.opened()

        >>> import requests
        >>> for _ in range(2):
        ...     ok = requests.get(shop.URL, stream=True).ok
        """,
    )
    suite.write("twin.txt", ">>> import shop\n>>> shop.opened().close()\n")
    result = suite.run("--doctest-glob=*.txt")
    result.assert_outcomes(passed=1, failed=1)
    assert found(result) == [
        f"1 dropped at shop.py:{OPENS} in opened",
        "2 dropped at guide.txt:9 in guide.txt",
    ]
    result.stdout.fnmatch_lines([">*ok = requests.get(shop.URL, stream=True).ok"])


DOCTESTS = '''\
    # The docstring does not begin the file.
    """A module.

    >>> response = shop.opened()
    >>> for _ in range(2):
    ...     ok = requests.get(  # module
    ...         shop.URL, stream=True).ok
    """

    import requests
    import shop

    def function():
        """A function.

        >>> requests.get(shop.URL, stream=True).status_code  # function
        200
        """

    class Class:
        """A class.

        >>> requests.get(shop.URL, stream=True).ok  # class
        True
        """

        def method(self):
            """The interpreter keeps what an example shows.

            >>> requests.get(shop.URL, stream=True)  # method
            <Response [200]>
            """

        @property
        def twin(self):
            """
            >>> with requests.get(shop.URL, stream=True) as response:
            ...     response.ok
            True
            >>> shop.opened().close()
            >>> requests.get(shop.URL).ok
            True
            """

        def wrong(self):
            """
            >>> response = shop.opened()
            >>> response.status_code
            500
            """

    def makes():
        """
        >>> import shop
        >>> shop.ask = lambda get=requests.get, url=shop.URL: get(url, stream=True).ok
        """

    def uses():
        """
        >>> shop.ask()
        True
        """

    __test__ = {"text": """
    >>> requests.get(shop.URL, stream=True).ok  # text
    True
    """}
'''


def test_doctests_of_modules(suite: Suite) -> None:
    suite.write("guide.py", DOCTESTS)
    result = suite.run("--doctest-modules", "guide.py")
    result.assert_outcomes(passed=3, failed=6, errors=1)
    assert sorted(errors(result)) == [
        "ERROR guide.py::guide.Class.method",
        "FAILED guide.py::guide",
        "FAILED guide.py::guide.Class",
        "FAILED guide.py::guide.Class.wrong",
        "FAILED guide.py::guide.__test__.text",
        "FAILED guide.py::guide.function",
        "FAILED guide.py::guide.uses",
    ]
    marks = ("module", "function", "class", "method", "text")
    at = {mark: line_of(DOCTESTS, f"# {mark}") for mark in marks}
    assert found(result) == [
        # What was made in another test is in no file.
        "1 dropped at <doctest guide.makes[1]>:1 in <lambda>",
        f"1 dropped at guide.py:{at['function']} in guide.function",
        f"1 dropped at guide.py:{at['class']} in guide.Class",
        f"1 dropped at guide.py:{at['text']} in guide.__test__.text",
        f"1 dropped at shop.py:{OPENS} in opened",
        f"1 open at guide.py:{at['method']} in guide.Class.method",
        f"2 dropped at guide.py:{at['module']} in guide",
    ]
    result.stdout.fnmatch_lines(["FAILED guide.py::guide - httpguard: 3 leaked*"])


def test_a_program_that_uses_httpguard_itself(suite: Suite) -> None:
    suite.test("""
        import httpguard

        @pytest.fixture(scope="module")
        def wide():
            response = shop.opened()
            yield response
            response.close()

        @pytest.fixture
        def installed():
            httpguard.install(max_idle=30)
            yield
            httpguard.uninstall()

        def test_leaks_under_its_own_guard(wide, installed):
            assert httpguard.snapshot().leaks == ()
            shop.status()
            assert [str(leak.kind) for leak in httpguard.check().leaks] == ["dropped"]

        def test_begins_with_nothing(wide, installed):
            assert httpguard.check().leaks == ()

        def test_raises(wide):
            with pytest.raises(httpguard.LeakError), httpguard.no_leaks():
                shop.status()

        def test_allows():
            with httpguard.allow("here"):
                shop.status()

        def test_strict():
            httpguard.install(strict=True)
            shop.opened().close()

        def test_leaks_after_all_that():
            httpguard.uninstall()
            httpguard.uninstall()
            shop.status()
    """)
    result = suite.run()
    assert errors(result) == [
        "FAILED test_it.py::test_leaks_under_its_own_guard",
        "FAILED test_it.py::test_leaks_after_all_that",
    ]
    result.assert_outcomes(passed=4, failed=2)
    assert found(result) == [dropped(2)]


def test_what_is_outside_of_tests(suite: Suite) -> None:
    suite.test("""
        shop.status()
        KEPT = shop.opened()

        def test_twin():
            pass
    """)
    for arguments, plugins in (((), ()), (("-n1",), ("xdist",))):
        result = suite.run(*arguments, plugins=plugins)
        result.assert_outcomes(passed=1, errors=1)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert found(result) == [dropped(1)]
        result.stdout.fnmatch_lines(["*leaked by the code outside of tests*"])


def test_a_session_inside_a_test(suite: Suite) -> None:
    suite.test("""
        pytest_plugins = ["pytester"]
        KEPT = []

        @pytest.fixture(scope="module")
        def feed():
            KEPT.append(shop.opened())

        def test_feed(feed):
            pass

        def test_inside(pytester):
            pytester.makepyfile(
                "import shop\\n"
                "def test_leak(): shop.status()\\n"
                "def test_twin(): shop.opened().close()\\n"
            )
            ours = ("-p", "httpguard.pytest_plugin", "--httpguard")
            result = pytester.runpytest_inprocess(*ours)
            result.assert_outcomes(failed=1, passed=1)

        def test_leaks_after_it():
            shop.status()

        def test_twin():
            pass
    """)
    result = suite.run("--junitxml=report.xml")
    result.assert_outcomes(passed=3, failed=1, errors=1)
    assert sorted(errors(result)) == [
        "ERROR test_it.py::feed",
        "FAILED test_it.py::test_leaks_after_it",
    ]
    # Other reporters see the fixture as it is: not as a test, nor as its last one.
    cases = ET.parse(suite.path / "report.xml").iter("testcase")
    assert [(case.attrib["name"], [child.tag for child in case]) for case in cases] == [
        ("test_feed", []),
        ("test_inside", []),
        ("test_leaks_after_it", ["failure"]),
        ("test_twin", []),
        ("feed", ["error"]),
    ]


@pytest.mark.skipif(not INSTALLED, reason="runs from a path, without entry points")
def test_the_entry_point(suite: Suite) -> None:
    suite.test(ONE_LEAK)
    suite.monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    run = suite.pytester.runpytest_subprocess
    run("--httpguard", "-p", "no:cacheprovider").assert_outcomes(failed=1)
    run("-p", "no:httpguard").assert_outcomes(passed=1)
    asked = run("-p", "no:httpguard", "--httpguard")
    assert asked.ret == pytest.ExitCode.USAGE_ERROR
