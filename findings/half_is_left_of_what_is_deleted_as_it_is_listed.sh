#!/usr/bin/env bash
# Half is left of what a loop deletes while PyGithub, python-gitlab with `iterator=True`
# or pynetbox lists it, and nothing is raised.
#
# These services number their pages. A list of PyGithub asks for a page when the loop
# gets there, and so do python-gitlab's with `iterator=True` and pynetbox's: what was
# deleted has moved the rest up by then, and the second page begins where the third
# began. Each second page is left out. A list that is made before the loop, as
# python-gitlab's `get_all=True`, misses none, and `reversed` of PyGithub's, which goes
# from the last page, misses none either.
#
# Versions: PyGithub 2.10.0, python-gitlab 8.6.0 and pynetbox 7.8.0 (requests 2.34.2),
# CPython 3.11.
#
# Seen (of 80, 20 a page):
#   PyGithub, get_releases(): 40 left
#   PyGithub, get_releases().reversed: 0 left
#   PyGithub, list(get_releases()): 0 left
#   python-gitlab, list(iterator=True): 40 left
#   python-gitlab, list(get_all=True): 0 left
#   pynetbox, all(): 40 left
#   pynetbox, filter(): 40 left
#   pynetbox, list(all()): 0 left
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'PyGithub==2.10.0' \
  'python-gitlab==8.6.0' 'pynetbox==7.8.0' 'requests==2.34.2' 'urllib3==2.8.0' \
  'requests-toolbelt==1.0.0'
cat >"$work/program.py" <<'PY'
import http.server
import json
import threading
from urllib.parse import parse_qsl, urlencode, urlsplit

import github
import gitlab
import pynetbox

PAGE = 20
left = []


class Service(http.server.BaseHTTPRequestHandler):
    """Pages by number with a `Link` as GitHub and GitLab, by offset as NetBox."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        at, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if at.endswith("/repos/our/code"):
            return self.answer({"name": "code", "url": url + at})
        number = int(query.get("page", 1))
        start = int(query.get("offset", (number - 1) * PAGE))
        more = start + PAGE < len(left)
        page = [entry(at, one) for one in left[start : start + PAGE]]
        if "/dcim/" in at:
            following = urlencode(query | {"limit": PAGE, "offset": start + PAGE})
            following = f"{url}{at}?{following}" if more else None
            page = {"count": len(left), "next": following, "previous": None, "results": page}
        last = (len(left) - 1) // PAGE + 1
        links = {"prev": number - 1, "first": 1} if number > 1 else {}
        links |= {"next": number + 1, "last": last} if more else {}
        ways = {rel: urlencode(query | {"page": to}) for rel, to in links.items()}
        self.answer(page, [f'<{url}{at}?{to}>; rel="{rel}"' for rel, to in ways.items()])

    def do_DELETE(self):
        left.remove(int(self.path.rstrip("/").rpartition("/")[2]))
        self.send_response(204)
        self.end_headers()

    def answer(self, found, links=()):
        body = json.dumps(found).encode()
        self.send_response(200)
        if links:
            self.send_header("Link", ", ".join(links))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def entry(at, one):
    return {"id": one, "iid": one, "number": one, "url": f"{url}{at.rstrip('/')}/{one}"}


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
hub = github.Github(
    auth=github.Auth.Token("a token"),
    base_url=url,
    seconds_between_requests=0,
    seconds_between_writes=0,
)
releases = hub.get_repo("our/code").get_releases
lab = gitlab.Gitlab(url, private_token="a token").projects.get(1, lazy=True).issues
devices = pynetbox.api(url, token="a token").dcim.devices

for name, listed in (
    ("PyGithub, get_releases()", lambda: releases()),
    ("PyGithub, get_releases().reversed", lambda: releases().reversed),
    ("PyGithub, list(get_releases())", lambda: list(releases())),
    ("python-gitlab, list(iterator=True)", lambda: lab.list(iterator=True)),
    ("python-gitlab, list(get_all=True)", lambda: lab.list(get_all=True)),
    ("pynetbox, all()", lambda: devices.all()),
    ("pynetbox, filter()", lambda: devices.filter(site="here")),
    ("pynetbox, list(all())", lambda: list(devices.all())),
):
    left[:] = range(1, 81)
    for found in listed():
        getattr(found, "delete_release", getattr(found, "delete", None))()
    print(f"{name}: {len(left)} left")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
PyGithub, get_releases(): 40 left
PyGithub, get_releases().reversed: 0 left
PyGithub, list(get_releases()): 0 left
python-gitlab, list(iterator=True): 40 left
python-gitlab, list(get_all=True): 0 left
pynetbox, all(): 40 left
pynetbox, filter(): 40 left
pynetbox, list(all()): 0 left
TXT
