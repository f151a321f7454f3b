#!/usr/bin/env bash
# Where httpx2 and trio are installed too, `import eventlet` fails, and so `import
# sentry_sdk`.
#
# Where all of these are installed, `import eventlet` ends in an AttributeError, and `import
# sentry_sdk` too, which nobody has asked for eventlet. eventlet imports dnspython with its
# own sockets in the place of Python's; dnspython imports httpx2 for DNS over HTTPS, that
# one trio, and trio decorates a method that eventlet's sockets do not have.
# `EVENTLET_NO_GREENDNS=yes` leaves dnspython alone.
#
# Versions: eventlet 0.41.3, dnspython 2.9.2, httpx2 2.16.2, h2 4.4.1, trio 0.35.0 and
# sentry-sdk 2.75.0 on CPython 3.11.7.
#
# Seen:
#   eventlet: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
#   sentry_sdk: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
#   eventlet without green DNS: imported
#   sentry_sdk without green DNS: imported
#   httpx2: imported
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'eventlet==0.41.3' \
  'dnspython==2.9.2' 'httpx2==2.16.2' 'h2==4.4.1' 'trio==0.35.0' 'sentry-sdk==2.75.0' \
  'anyio==4.16.0' 'h11==0.16.0' 'hpack==4.2.0' 'httpcore2==2.16.2' 'hyperframe==6.1.0' \
  'urllib3==2.8.0'
cat >"$work/program.py" <<'PY'
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
look() { "$work/venv/bin/python" "$work/program.py" "$1"; }
{
  for name in eventlet sentry_sdk; do
    echo "$name: $(look $name)"
  done
  for name in eventlet sentry_sdk; do
    echo "$name without green DNS: $(EVENTLET_NO_GREENDNS=yes look $name)"
  done
  echo "httpx2: $(look httpx2)"
} | tee "$work/seen"
diff - "$work/seen" <<'TXT' || { echo changed; exit 1; }
eventlet: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
sentry_sdk: AttributeError: type object 'GreenSocket' has no attribute 'sendmsg'
eventlet without green DNS: imported
sentry_sdk without green DNS: imported
httpx2: imported
TXT
