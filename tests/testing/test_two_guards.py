"""A test session's guard, and the program's own beside it."""

from __future__ import annotations

import os

import pytest

from tests.testing.suites import LEAKS, Suite, dropped, errors, found

pytest_plugins = ["pytester"]


def test_what_the_program_leaves_out_the_session_sees(suite: Suite) -> None:
    suite.test("""
        import httpguard

        @pytest.fixture
        def own():
            httpguard.install(sample=0, stack_depth=1, app=["shop"])
            yield
            httpguard.uninstall()

        def test_leaks(own):
            shop.status()

        def test_twin(own):
            shop.opened().close()

        def test_leaks_alone():
            shop.status()
    """)
    result = suite.run()
    assert errors(result) == [
        "FAILED test_it.py::test_leaks",
        "FAILED test_it.py::test_leaks_alone",
    ]
    assert found(result) == [dropped(2)]
    assert LEAKS


def test_what_the_program_had_before_the_session_it_has_after_it(suite: Suite) -> None:
    suite.write(
        "program.py",
        """
        import httpguard, pytest, shop, sys
        httpguard.install(sample=0, check_interval=0)
        code = pytest.main(["-q", "-p", "httpguard.pytest_plugin", "--httpguard"])
        shop.status()
        counters = httpguard.check().counters
        print("after:", int(code), counters["dropped"], len(httpguard.check().leaks))
        """,
    )
    suite.test("def test_leak(): shop.status()")
    suite.monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = suite.pytester.runpython(suite.path / "program.py")
    # The program keeps no stacks: it counts the leak that came after the session.
    result.stdout.fnmatch_lines([dropped(1), "after: 1 1 0"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_in_a_child_one_thread_at_a_time_judges(suite: Suite) -> None:
    suite.test("""
        import os, threading
        import httpguard
        from httpguard._process.process import PROCESS

        def test_child():
            httpguard.install()
            pid = os.fork()
            if not pid:
                ours, sessions = PROCESS.guard.registry, PROCESS.host.registry
                alike = ours is sessions and ours.judging is sessions.judging
                os._exit(0 if alike and ours.judging.acquire(timeout=1) else 1)
            _, status = os.waitpid(pid, 0)
            httpguard.uninstall()
            assert os.waitstatus_to_exitcode(status) == 0
    """)
    suite.run().assert_outcomes(passed=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("first", ["program", "session"])
def test_in_a_child_both_start_anew(suite: Suite, first: str) -> None:
    suite.write(
        "program.py",
        """
        import httpguard, pytest, sys
        if sys.argv[1] == "program":
            httpguard.install(check_interval=0)
        sys.exit(pytest.main(["-q", "-p", "httpguard.pytest_plugin", "--httpguard"]))
        """,
    )
    suite.test("""
        import os, sys
        import httpguard
        from httpguard._process.process import PROCESS

        def counts():
            return [sum(leak.count for leak in guard.snapshot().leaks)
                    for guard in (PROCESS.guard, PROCESS.host)]

        def test_child():
            if sys.argv[1] == "session":
                httpguard.install(check_interval=0)
            assert PROCESS.guard is not PROCESS.host
            kept = shop.opened()
            pid = os.fork()
            if not pid:
                try:
                    assert not httpguard.snapshot().open
                    del kept
                    shop.status()
                    shop.opened().close()
                    httpguard.check()
                    PROCESS.host.watch()
                    # The one that judges first has it.
                    assert sorted(counts()) in ([0, 1], [1, 1]), counts()
                    assert httpguard.snapshot().counters["errors"] == 0
                except BaseException:
                    import traceback; traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert len(httpguard.snapshot().open) == 1
            kept.close()
            assert counts() == [0, 0]
    """)
    suite.monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = suite.pytester.runpython_c(
        f"import sys; sys.argv[1:] = [{first!r}]; exec(open('program.py').read())"
    )
    assert result.ret == 0, result.stdout.str()


def test_no_event_is_made_that_nobody_takes(suite: Suite) -> None:
    suite.test("""
        import httpguard
        from httpguard._guard import reports

        @pytest.fixture
        def made(monkeypatch):
            made = []
            class Event(reports.Event):
                def __init__(self, *args, **options):
                    made.append(self)
                    super().__init__(*args, **options)
            monkeypatch.setattr(reports, "Event", Event)
            return made

        def test_leaks(made):
            shop.status()

        def test_of_the_program(made):
            httpguard.install()
            shop.status()
            httpguard.check()
            httpguard.uninstall()
            print("events of the program:", len(made))

        @pytest.fixture(autouse=True)
        def say(request, made):
            yield
            print("events of", request.node.name, len(made))
    """)
    result = suite.run("-s")
    result.stdout.fnmatch_lines(["*events of test_leaks 0*", "*of the program: 1*"])
