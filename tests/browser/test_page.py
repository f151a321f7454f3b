"""What a person sees and can do on the live page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3

import httpguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from httpguard._web import Page
    from tests.browser.conftest import Browser
    from tests.conftest import GuardControl
    from tests.server import Server

TIMES = "\N{MULTIPLICATION SIGN}"
KEPT: dict[str, requests.Response] = {}
LEAKS = "#leaks-list > li > details"


def drop(server: Server) -> None:
    requests.get(server.url("/bytes/90000"), stream=True)  # dropped here


def lose_slot(server: Server) -> urllib3.HTTPConnectionPool:
    pool = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    with pool.request("GET", "/bytes/90000", preload_content=False):  # lost here
        pass
    return pool


@pytest.fixture
def busy(guard: GuardControl, server: Server) -> Iterator[GuardControl]:
    """A program with two leaks, something open and pools."""
    guard.install()
    drop(server)
    drop(server)
    guard.check()
    time.sleep(0.01)  # The page tells no less apart than milliseconds.
    blocking = lose_slot(server)
    pool = urllib3.HTTPConnectionPool(server.host, server.port)
    first = pool.request("GET", "/bytes/90000?a", preload_content=False)
    others = [
        pool.request("GET", "/bytes/90000?b", preload_content=False) for _ in range(3)
    ]
    guard.advance(5)
    yield guard
    for response in (first, *others):
        response.close()
    blocking.close()


def test_a_leak_appears_while_the_page_is_open(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    browser.go(page.url)
    assert browser.texts("#leaks-empty") == ["No leak so far."]
    drop(server)
    browser.wait(f"document.querySelector('{LEAKS}')")
    # The first one is open without a click.
    (text,) = browser.texts(LEAKS)
    assert text.startswith(f"dropped\n1{TIMES}\n")
    assert "in drop" in text
    assert "# dropped here" in text
    assert "Fix: open it with" in text
    assert browser.run("document.title").startswith("(1) ")
    own = browser.texts(f"{LEAKS} .stack .own")
    assert "requests.get(server.url" in own[-1]
    # Another one is a line that opens by a click.
    lose_slot(server)
    browser.wait(f"document.querySelectorAll('{LEAKS}').length === 2")
    browser.click(f"{LEAKS}:not([open]) summary")
    opened = browser.texts(f"{LEAKS}[open]")
    assert [text for text in opened if "# lost here" in text]
    assert browser.complaints() == []


def test_what_is_open_stays_open_and_counts_go_on(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    drop(server)
    browser.go(page.url)
    browser.wait(f"document.querySelector('{LEAKS}[open]')")
    browser.run(f"window.kept = document.querySelector('{LEAKS}')")
    drop(server)
    browser.wait(f"document.querySelector('.times').textContent === '2{TIMES}'")
    assert browser.run("window.kept.isConnected")
    assert browser.run("window.kept.open")
    # Closed by a person, it stays closed.
    browser.click(f"{LEAKS} summary")
    drop(server)
    browser.wait(f"document.querySelector('.times').textContent === '3{TIMES}'")
    assert not browser.run("window.kept.open")


def test_what_holds_a_response(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install(max_idle=10, explain=5.0)
    response = requests.get(server.url("/bytes/90000"), stream=True)
    KEPT["https://shop"] = response
    del response
    guard.advance(20)
    guard.check()
    browser.go(page.url)
    browser.wait(f"document.querySelector('{LEAKS} .held-by')")
    (chain,) = browser.texts(f"{LEAKS} .held-by ol")
    assert "KEPT" in chain
    assert len(browser.texts(f"{LEAKS} .held-by mark")) == 1
    assert browser.complaints() == []
    KEPT.pop("https://shop").close()


def test_open_responses_and_pools(
    busy: GuardControl, page: Page, browser: Browser
) -> None:
    browser.go(page.url)
    browser.wait("document.querySelector('#open-table tbody tr')")
    # By default the site with the most comes first; a click turns the order round.
    counts = "#open-table tbody td:nth-child(2)"
    assert browser.texts(counts) == ["3", "1"]
    assert browser.texts("#open-table tbody td:nth-child(3)") == ["5.0 s", "5.0 s"]
    browser.click("#open-table thead th:nth-child(2) button")
    assert browser.texts(counts) == ["1", "3"]
    sorts = "[...document.querySelectorAll('#open-table th[aria-sort]')]"
    assert browser.run(f"{sorts}.map((th) => th.ariaSort)") == [
        "none",
        "ascending",
        *["none"] * 4,
    ]
    browser.click("#open-table tbody summary")
    assert "pool.request(" in browser.texts("#open-table .story")[0]
    # The browser's driver is asked by urllib3 too, whose pool comes last.
    first, second, *_ = browser.texts("#pools-table tbody tr")
    assert "1 of 2" in first
    assert "4 of 1" in second
    tiles = dict(text.split("\n")[:2] for text in browser.texts(".tile"))
    assert (tiles["Open now"], tiles["Leaks"], tiles["Slots lost"]) == ("4", "3", "1")
    label = browser.run("document.querySelector('#chart-leaks svg').ariaLabel")
    assert label.startswith("Leaks found over the last 5 minutes: 3 now")
    assert browser.complaints() == []


def test_sessions_and_a_full_pool(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install(max_sessions=2)
    sessions = [requests.Session() for _ in range(3)]
    for session in sessions:
        session.get(server.url("/bytes/9"))
    guard.check()
    guard.advance(100)
    full = urllib3.HTTPConnectionPool(server.host, server.port, maxsize=2, block=True)
    responses = [
        full.request("GET", "/bytes/90000", preload_content=False) for _ in range(2)
    ]
    guard.check()
    browser.go(page.url)
    browser.wait(f"document.querySelector('{LEAKS}')")
    assert browser.texts("#kinds .session") == ["session 1"]
    (leak,) = browser.texts(LEAKS)
    assert leak.startswith("session\n")
    assert "Sockets" in leak
    assert "Body" not in leak
    tiles = dict(text.split("\n")[:2] for text in browser.texts(".tile"))
    assert int(tiles["Sessions"]) >= 3
    assert "2 of 2" in browser.texts("#pools-table tbody tr")[0]
    assert browser.run(
        "document.querySelector('#pools-table tbody .fill').dataset.full === 'true'"
    )
    assert any(f"{TIMES} 3" in text for text in browser.texts("#pools-table tbody tr"))
    assert browser.complaints() == []
    for response in responses:
        response.close()
    for session in sessions:
        session.close()


def test_filters_and_kinds(busy: GuardControl, page: Page, browser: Browser) -> None:
    browser.go(page.url)
    browser.wait(f"document.querySelectorAll('{LEAKS}').length === 2")
    browser.run("document.querySelector('#filter').focus()")
    browser.press("LOSE_slot test_page")
    assert browser.run(f"document.querySelectorAll('{LEAKS}').length") == 1
    assert browser.texts("#leaks-count") == ["1 of 2 sites"]
    browser.press(" nowhere")
    assert browser.texts("#leaks-empty") == ["None fits the filter."]
    browser.press("\ue00c")  # Escape
    assert browser.run(f"document.querySelectorAll('{LEAKS}').length") == 2
    browser.click("#kinds .dropped")
    assert browser.texts(f"{LEAKS} .kind") == ["unreleased"]
    browser.click("#kinds .dropped")
    browser.run(
        "(document.querySelector('#leaks-sort').value = 'last_seen',"
        " document.querySelector('#leaks-sort').dispatchEvent(new Event('change')))"
    )
    assert browser.texts(f"{LEAKS} .kind") == ["unreleased", "dropped"]


def test_by_keyboard_alone(busy: GuardControl, page: Page, browser: Browser) -> None:
    browser.go(page.url)
    browser.wait(f"document.querySelectorAll('{LEAKS}').length === 2")
    opened = f"[...document.querySelectorAll('{LEAKS}')].map((each) => each.open)"
    assert browser.run(opened) == [True, False]
    browser.press("j", "j", "\ue007")  # Enter
    assert browser.run(opened) == [True, True]
    browser.press("k", "\ue007")
    assert browser.run(opened) == [False, True]
    browser.press("/")
    assert browser.run("document.activeElement.id") == "filter"
    browser.press("p", "\ue00c")
    assert browser.texts("#state-text") == ["live"]
    browser.press("p")
    assert browser.texts("#state-text") == ["paused"]
    assert browser.run("document.querySelector('#pause').ariaPressed") == "true"
    browser.press("p")
    browser.wait("document.querySelector('#state-text').textContent === 'live'")
    browser.press("t")
    assert browser.run("document.documentElement.dataset.theme") == "light"
    # Whatever can be clicked can be reached by Tab, and shows that it is.
    browser.run("document.activeElement.blur()")
    reached = set()
    for _ in range(40):
        browser.press("\ue004")
        name = browser.run(
            "document.activeElement.id || document.activeElement.className"
            " || document.activeElement.tagName"
        )
        reached.add(name)
        assert browser.run(
            "getComputedStyle(document.activeElement).outlineStyle !== 'none'"
            " || document.activeElement === document.body"
        ), name
    assert {"skip", "pause", "theme", "filter", "leaks-sort", "SUMMARY"} <= reached
    browser.run("localStorage.clear()")


def test_dark_and_light(busy: GuardControl, page: Page, browser: Browser) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    browser.dark(False)
    browser.go(page.url)
    light = browser.run(back)
    browser.dark(True)
    dark = browser.run(back)
    assert light != dark
    browser.click("#theme")
    assert browser.run(back) == light
    browser.click("#theme")
    assert browser.run(back) == dark
    browser.dark(False)
    # The choice outlives a reload.
    browser.go(page.url)
    assert browser.run(back) == dark
    browser.click("#theme")
    assert browser.run(back) == light
    browser.run("localStorage.clear()")


@pytest.mark.parametrize(("dark", "width"), [(False, 0), (True, 360)])
def test_accessible(
    busy: GuardControl,
    page: Page,
    browser: Browser,
    axe: str,
    *,
    dark: bool,
    width: int,
) -> None:
    browser.dark(dark)
    if width:
        browser.phone(width)
    browser.go(page.url)
    browser.wait(f"document.querySelectorAll('{LEAKS}').length === 2")
    browser.click("#open-table tbody summary")
    if width:
        assert browser.run("document.documentElement.scrollWidth") == width
    browser.driver.execute_script(axe)
    found: list[dict[str, Any]] = browser.driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run().then((result) => done(result.violations),"
        " (error) => done([{id: String(error), impact: 'critical', nodes: []}]))"
    )
    assert [
        (each["id"], each["impact"], [node["html"] for node in each["nodes"]])
        for each in found
    ] == []


def test_hostile_values_are_text(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    markup = "<img src=x onerror=document.title='owned'><script>alert(1)</script>"
    names: dict[str, Any] = {}
    source = "def f(get, url):\n    get(url, stream=True)  # <b>bold</b>"
    exec(compile(source, f"{markup}.py", "exec"), names)
    names["f"](requests.get, server.url(f"/bytes/90000?{markup}=1"))
    browser.go(page.url)
    browser.wait(f"document.querySelector('{LEAKS}')")
    assert "<img" in browser.texts(f"{LEAKS} .site")[0]
    assert (
        browser.run("document.querySelectorAll('main img, main script, b').length") == 0
    )
    assert browser.run("document.title") != "owned"
    assert browser.complaints() == []


def test_text_cannot_become_markup_at_all(page: Page, browser: Browser) -> None:
    browser.go(page.url)
    error = browser.driver.execute_script(
        "try { document.body.innerHTML = '<p>x</p>'; return '' }"
        "catch (error) { return error.name }"
    )
    assert error == "TypeError"


def test_it_needs_no_other_host(
    busy: GuardControl, page: Page, browser: Browser
) -> None:
    browser.go(page.url)
    loaded = browser.run(
        "performance.getEntriesByType('resource').map((each) => each.name)"
    )
    assert len(loaded) >= 8
    assert [url for url in loaded if not url.startswith(page.url)] == []


def test_says_when_the_program_is_gone(
    guard: GuardControl, page: Page, browser: Browser
) -> None:
    guard.install()
    browser.go(page.url)
    page.close()
    browser.wait("document.querySelector('#state').dataset.state === 'lost'")
    assert browser.texts("#state-text")[0].startswith("no answer for")


def test_says_when_nothing_is_installed(
    guard: GuardControl, page: Page, browser: Browser
) -> None:
    browser.go(page.url)
    assert "httpguard is not installed" in browser.texts("#notices")[0]


def test_the_link_with_the_token_signs_in(
    guard: GuardControl, server: Server, browser: Browser
) -> None:
    guard.install()
    drop(server)
    with httpguard.serve(token="a-token-of-23-characters") as page:
        browser.driver.get(page.url)
        assert "needs its token" in browser.texts("body")[0]
        browser.complaints()  # The 401 is one.
        browser.go(page.login_url)
        assert browser.run("location.href") == page.url
        browser.wait(f"document.querySelector('{LEAKS}')")
        assert browser.complaints() == []


def test_what_hurts_comes_first_with_the_line_to_blame(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    drop(server)  # Of a pool of the same name, which loses no slot.
    blocking = lose_slot(server)
    browser.go(page.url)
    (alert,) = browser.texts("#alerts li")
    assert "loses its slots: 1 of 2 slots lost" in alert
    (line,) = browser.texts("#alerts button")
    assert line.endswith(" in lose_slot")
    browser.run(f"[...document.querySelectorAll('{LEAKS}')].map((e) => e.open = false)")
    browser.click("#alerts button")
    assert "# lost here" in browser.texts(f"{LEAKS}[open]")[0]
    # The most harmful leak is the first, and leaks stand before the charts.
    assert browser.texts(f"{LEAKS} .kind") == ["unreleased", "dropped"]
    top = "document.querySelector('{}').getBoundingClientRect().top"
    charts = browser.run(top.format("#chart-open"))
    assert browser.run(top.format("#leaks")) < charts
    assert browser.complaints() == []
    blocking.close()


def test_the_fix_can_be_copied(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    drop(server)
    browser.go(page.url)
    browser.run(
        "(window.copied = [], navigator.clipboard.writeText = async (text) =>"
        " void window.copied.push(text))"
    )
    browser.click(f"{LEAKS} .copy")
    browser.wait(f"document.querySelector('{LEAKS} .copy').textContent === 'Copied'")
    code = "with requests.get(..., stream=True) as response:"
    assert browser.run("window.copied") == [code]
    assert code in browser.texts(f"{LEAKS} .fix code")
    assert "explain HG101" in browser.texts(f"{LEAKS} .meaning")[0]
    # The line itself stands above, frames of libraries are folded.
    assert "# dropped here" in browser.texts(f"{LEAKS} .line")[0]
    (folded, *_) = browser.texts(f"{LEAKS} .folded")
    assert folded.startswith("\N{HORIZONTAL ELLIPSIS} ")
    assert "frames: " in folded
    browser.click(f"{LEAKS} .folded summary")
    assert len(browser.texts(f"{LEAKS} .folded[open] li")) > 1


def test_the_first_leak_is_on_a_phone_s_first_screen(
    busy: GuardControl, page: Page, browser: Browser
) -> None:
    browser.phone(390)
    browser.go(page.url)
    browser.wait(f"document.querySelector('{LEAKS}[open] .fix')")
    bottom = browser.run(
        f"document.querySelector('{LEAKS} .fix').getBoundingClientRect().bottom"
    )
    assert bottom < 800


def test_advice(
    guard: GuardControl, server: Server, page: Page, browser: Browser
) -> None:
    guard.install()
    for _ in range(12):
        with requests.Session() as session:  # wasted here
            session.get(server.url("/bytes/9"))
        del session
    guard.check()
    browser.go(page.url)
    browser.wait("!document.querySelector('#advice').hidden")
    (text,) = browser.texts("#advice-list li")
    assert "12 sessions of requests made and dropped" in text
    assert "in test_advice" in text
    assert "explain HG202" in text
    assert browser.complaints() == []
