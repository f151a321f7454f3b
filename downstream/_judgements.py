"""What a person found out about each leak: the suite's own, or a mistake of ours.

By project, and by kind, file and line, which the pinned sdists keep in place. A
leak that is not in here is news, and the report says so.
"""

from __future__ import annotations

from typing import Final

_SERVER: Final = "test/with_dummyserver/"
_STATUS_ONLY: Final = "real: only the status is looked at, the body never read"
_POOL_ONLY: Final = (
    "real: the response is not even kept, the test looks at the pool; block=True, "
    "so the slot is lost"
)
_ON_PURPOSE: Final = (
    "real, and on purpose: the test counts the connections missing from the pool"
)
_REQUEST_ONLY: Final = (
    "real: the response is not even kept, the test looks at what the server got"
)
_FAKED: Final = (
    "real: _make_request is faked, but the slot of the block=True pool is taken and "
    "lost (a second request there would wait for ever)"
)

JUDGEMENTS: Final = {
    "requests": {
        "dropped tests/test_lowlevel.py:32": (
            "real: stream=True, and only status and request are looked at; the body "
            "is empty, yet its connection goes back only when it is read or closed"
        ),
        "dropped tests/test_requests.py:1978": (
            "real: the last response of a redirect followed by hand, stream=True, is "
            "never read (those before it are, and are not reported)"
        ),
    },
    "urllib3": {
        f"dropped {_SERVER}test_chunked_transfer.py:302": _REQUEST_ONLY,
        f"dropped {_SERVER}test_chunked_transfer.py:330": _REQUEST_ONLY,
        f"dropped {_SERVER}test_connectionpool.py:521": _STATUS_ONLY,
        f"dropped {_SERVER}test_connectionpool.py:811": _ON_PURPOSE,
        f"dropped {_SERVER}test_connectionpool.py:831": _ON_PURPOSE,
        f"dropped {_SERVER}test_connectionpool.py:1505": _POOL_ONLY,
        f"dropped {_SERVER}test_connectionpool.py:1517": _POOL_ONLY,
        f"dropped {_SERVER}test_poolmanager.py:374": (
            "real: the last response of a redirect, never read, in a block=True pool "
            "(the test is about the one before it, which was released)"
        ),
        f"dropped {_SERVER}test_socketlevel.py:2582": _POOL_ONLY,
    },
    "urllib3-1.26": {
        "dropped test/test_connectionpool.py:506": _FAKED,
        f"dropped {_SERVER}test_chunked_transfer.py:234": _REQUEST_ONLY,
        f"dropped {_SERVER}test_chunked_transfer.py:260": _REQUEST_ONLY,
        f"dropped {_SERVER}test_connectionpool.py:723": _ON_PURPOSE,
        f"dropped {_SERVER}test_connectionpool.py:742": _ON_PURPOSE,
        f"dropped {_SERVER}test_connectionpool.py:1418": _POOL_ONLY,
        f"dropped {_SERVER}test_connectionpool.py:1430": _POOL_ONLY,
        f"dropped {_SERVER}test_poolmanager.py:253": (
            "real: the last response of a redirect, never read, in a block=True pool"
        ),
        f"dropped {_SERVER}test_socketlevel.py:1966": _POOL_ONLY,
    },
    "httpie": {
        "dropped httpie/client.py:114": (
            "real, of the project: stream=True, and the body of a response of which "
            "only the head is printed, or nothing, is neither read nor closed"
        ),
    },
    "sphinx": {
        "dropped sphinx/util/requests.py:106": (
            "real, of the project: line 79 raises where a redirect leads to a place to "
            "be ignored, and nobody closes the streamed response that said so"
        ),
    },
    "yt-dlp": {
        "dropped yt_dlp/networking/_requests.py:324": (
            "real, of the tests, which drop what `_send` hands them: four errors of "
            "test/test_networking.py:444, whose response is never closed, and the "
            "unread responses of 562, 570, 619 and 631"
        ),
    },
}
