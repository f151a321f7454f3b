#!/usr/bin/env bash
# `response.links` of requests and httpx has no next page where its URL has a semicolon;
# python-gitlab lists the first page as all.
#
# `response.links` parts a `Link` header at the first semicolon of each link, also at one of
# the URL. The URL is cut there, has no `rel` any more, and so there is no next page: a
# program that goes on until there is none has a part of all and is told nothing. Of two
# relations, `rel="next last"`, it makes one of that name. aiohttp 3.14.5 takes the URL for
# what stands between `<` and `>`, and makes one of two too.
#
# Versions: requests 2.34.2, httpx 0.28.1, httpx2 2.16.2 and python-gitlab 8.6.0 on
# requests, CPython 3.11.
#
# Seen (three pages, one item each, by `links["next"]["url"]`):
#   requests: of /plain 3 items, of /semicolon 1, of /both 1
#   httpx: of /plain 3 items, of /semicolon 1, of /both 1
#   httpx2: of /plain 3 items, of /semicolon 1, of /both 1
#   aiohttp: of /plain 3 items, of /semicolon 3, of /both 1
#   python-gitlab: of /plain 3 items, of /semicolon 1, of /both 1
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'requests==2.34.2' \
  'httpx==0.28.1' 'httpx2==2.16.2' 'aiohttp==3.14.5' 'python-gitlab==8.6.0' \
  'anyio==4.16.0' 'h11==0.16.0' 'httpcore==1.0.9' 'httpcore2==2.16.2' \
  'requests-toolbelt==1.0.0' 'urllib3==2.8.0' 'yarl==1.25.1' 'yarl==1.25.1'
cat >"$work/program.py" <<'PY'
import asyncio
import http.server
import json
import threading

import aiohttp
import gitlab
import httpx
import httpx2
import requests

AT = {"plain": "?page={}", "semicolon": ";v=2?page={}", "both": "?page={}"}


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        page = int((self.path.partition("page=")[2] or "1").partition("&")[0])
        kind = next(kind for kind in AT if kind in self.path)
        self.send_response(200)
        if page < 3:
            relation = "next last" if kind == "both" and page == 2 else "next"
            relation = "next first" if kind == "both" and page == 1 else relation
            self.send_header(
                "Link", f'<{url}/api/v4/{kind}{AT[kind].format(page + 1)}>; rel="{relation}"'
            )
        body = json.dumps([{"id": page}]).encode()
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def items(get, kind):
    found, following = [], f"{url}/api/v4/{kind}"
    while following:
        page = get(following)
        found += page.json()
        following = page.links.get("next", {}).get("url")
    return len(found)


async def of_aiohttp(kind):
    found, following = [], f"{url}/api/v4/{kind}"
    async with aiohttp.ClientSession() as session:
        while following:
            async with session.get(following) as page:
                found += await page.json()
                following = page.links.get("next", {}).get("url")
    return len(found)


def of_gitlab(kind):
    return len(gitlab.Gitlab(url).http_list(f"/{kind}", get_all=True))


for name, count in {
    "requests": lambda kind: items(requests.get, kind),
    "httpx": lambda kind: items(httpx.get, kind),
    "httpx2": lambda kind: items(httpx2.get, kind),
    "aiohttp": lambda kind: asyncio.run(of_aiohttp(kind)),
    "python-gitlab": of_gitlab,
}.items():
    plain, semicolon, both = map(count, AT)
    print(f"{name}: of /plain {plain} items, of /semicolon {semicolon}, of /both {both}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
requests: of /plain 3 items, of /semicolon 1, of /both 1
httpx: of /plain 3 items, of /semicolon 1, of /both 1
httpx2: of /plain 3 items, of /semicolon 1, of /both 1
aiohttp: of /plain 3 items, of /semicolon 3, of /both 1
python-gitlab: of /plain 3 items, of /semicolon 1, of /both 1
TXT
