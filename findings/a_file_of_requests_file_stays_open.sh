#!/usr/bin/env bash
# An answer of requests-file keeps its file open after it was read, for as long as it is
# kept.
#
# requests-file brings `file://` URLs to requests. The file that an answer stands for stays
# open after all of it was read, also without `stream=True` and after its session was
# closed. Who keeps twenty answers keeps twenty descriptors. `close()` of the answer closes
# its file.
#
# Versions: requests-file 3.0.1 with requests 2.34.2, CPython 3.11.7.
#
# Seen (descriptors of twenty answers that are kept):
#   read: 20
#   session closed: 20
#   each closed: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check \
  'requests-file==3.0.1' 'requests==2.34.2' 'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
import os
import pathlib
import tempfile

import requests
from requests_file import FileAdapter


def descriptors():
    return len(os.listdir("/proc/self/fd"))


with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "page.txt")
    path.write_text("a page")
    before = descriptors()
    session = requests.Session()
    session.mount("file://", FileAdapter())
    kept = [session.get(path.as_uri()) for _ in range(20)]
    assert {answer.text for answer in kept} == {"a page"}
    print(f"read: {descriptors() - before}")
    session.close()
    print(f"session closed: {descriptors() - before}")
    for answer in kept:
        answer.close()
    print(f"each closed: {descriptors() - before}")
PY
"$work/venv/bin/python" "$work/program.py" | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
read: 20
session closed: 20
each closed: 0
TXT
