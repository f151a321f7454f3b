"""The suites of what is built on http.client and urllib.request, or patches them."""

from __future__ import annotations

from typing import Final

from ._project import PYTEST, Project

STDLIB_PROJECTS: Final = (
    Project(
        name="warcio",
        package="warcio",
        version="1.8.1",
        sha256="76f71b22159ca3c043521e10ee8a2478d167672ad1d137c7c15e40b0d5c73ccd",
        requires=(
            "requests==2.34.2",
            "urllib3==1.26.15",
            PYTEST,
            "cryptography==43.0.0",
            "hookdns",
            "httpbin==0.10.4",
            "pyopenssl==24.2.1",
            "wsgiprox",
        ),
        # The others import a conftest.py that the sdist does not carry.
        tests=("test/test_capture_http.py", "test/test_capture_http_proxy.py"),
    ),
    Project(
        name="yt-dlp",
        package="yt-dlp",
        version="2026.10.26",
        sha256="abe5c6b94c3b2f0560500add1c42e0a97641752743a5b65588ac2007a6e23eb6",
        requires=(
            "requests==2.34.2",
            "urllib3==2.8.0",
            "pytest==9.0.3",
            "pytest-rerunfailures==16.7",
        ),
        extras="[default]",
        tests=(
            "test/test_InfoExtractor.py",
            "test/test_YoutubeDL.py",
            "test/test_YoutubeDLCookieJar.py",
            "test/test_cookies.py",
            "test/test_downloader_external.py",
            "test/test_downloader_http.py",
            "test/test_http_proxy.py",
            "test/test_networking.py",
            "test/test_networking_utils.py",
            "test/test_socks.py",
            "test/test_update.py",
            "test/test_websockets.py",
            "-m",
            "not download",
        ),
    ),
    Project(
        name="httplib2",
        package="httplib2",
        version="0.32.1",
        sha256="37900eb8a74576bd99fc39ae1dc8409f95f965d45b56cbcb2194bb55f58a90e1",
        requires=(
            "pytest==8.2.2",
            "cryptography>=45,<46",
            "pysocks==1.7.1",
            "pytest-forked==1.6.0",
            "pytest-timeout==2.3.1",
        ),
        # Its own options measure coverage.
        options=("-o", "addopts=", "--noconftest", "--timeout=17"),
        tests=("tests", "--ignore=tests/_TODO_legacy"),
    ),
    Project(
        name="mechanize",
        package="mechanize",
        version="0.4.10",
        sha256="1dea947f9be7ea0ab610f7bbc4a4e36b45d6bfdfceea29ad3d389a88a1957ddf",
        requires=(PYTEST, "html5lib", "service-identity", "six", "twisted"),
        options=("-o", "pythonpath=test-tools"),
        # That one has a runner of its own, which starts its server.
        tests=("test", "--ignore=test/test_functional.py"),
    ),
    Project(
        name="wsgi-intercept",
        package="wsgi-intercept",
        version="1.13.1",
        sha256="79bd6c639ab11f7eabe5d18ad9a20f62ee82a1c435124a876cffd8038f6c24c1",
        requires=(
            "requests==2.34.2",
            "urllib3==1.26.20",
            PYTEST,
            "httplib2==0.32.1",
        ),
        tests=("wsgi_intercept/tests",),
    ),
    Project(
        name="waitress",
        package="waitress",
        version="3.0.2",
        sha256="682aaaf2af0c44ada4abfb70ded36393f0e307f4ab9456a215ce0020baefc31f",
        requires=(PYTEST,),
        options=("-o", "addopts="),
    ),
)
