#!/usr/bin/env bash
# eventlet 0.41.3, dnspython 2.9.2, httpx2 2.16.2, h2 4.4.1, trio 0.35.0 and sentry-sdk
# 2.75.0 on CPython 3.11.7: where all of these are installed, `import eventlet` ends in an
# AttributeError, and `import sentry_sdk` too, which nobody has asked for eventlet.
# eventlet imports dnspython with its own sockets in the place of Python's; dnspython
# imports httpx2 for DNS over HTTPS, that one trio, and trio decorates a method that
# eventlet's sockets do not have. `EVENTLET_NO_GREENDNS=yes` leaves dnspython alone.
#
# Seen:
#   eventlet: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
#   sentry_sdk: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
#   eventlet without green DNS: imported
#   sentry_sdk without green DNS: imported
#   httpx2: imported
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check 'eventlet==0.41.3' \
  'dnspython==2.9.2' 'httpx2==2.16.2' 'h2==4.4.1' 'trio==0.35.0' 'sentry-sdk==2.75.0' \
  2>/dev/null
cat >program.py <<'PY'
import importlib
import sys
import warnings

warnings.simplefilter("ignore")
try:
    importlib.import_module(sys.argv[1])
except AttributeError as error:
    print(f"AttributeError: {error}")
else:
    print("imported")
PY
seen=$(
  for name in eventlet sentry_sdk; do
    echo "$name: $(venv/bin/python program.py $name)"
  done
  for name in eventlet sentry_sdk; do
    echo "$name without green DNS: $(EVENTLET_NO_GREENDNS=yes venv/bin/python program.py $name)"
  done
  echo "httpx2: $(venv/bin/python program.py httpx2)"
)
echo "$seen"
fails="AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'"
expected="eventlet: $fails
sentry_sdk: $fails
eventlet without green DNS: imported
sentry_sdk without green DNS: imported
httpx2: imported"
[ "$seen" = "$expected" ] || { echo changed; exit 1; }
