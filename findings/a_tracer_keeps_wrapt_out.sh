#!/usr/bin/env bash
# CPython 3.10.13 and 3.11.7: under a tracer written in Python that looks at each frame's
# `f_locals`, `import wrapt` (2.5.2) ends in `NameError: name '__class__' is
# not defined`: the body of one of its classes defines `__class__` as a property, reads
# it again for `@__class__.setter`, and has methods that refer to `__class__` too. What
# stands on wrapt (OpenTelemetry, ddtrace) does not come up. With 3.13.0 it does.
#
# Seen with 3.11.7:
#   without a tracer: imported
#   under a tracer: NameError: name '__class__' is not defined
# With 3.13.0: imported each time. PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check 'wrapt==2.5.2' 2>/dev/null
cat >program.py <<'PY'
try:
    import wrapt
except NameError as error:
    print(f"NameError: {error}")
else:
    print("imported")
PY
cat >tracer.py <<'PY'
import runpy
import sys


def trace(frame, event, argument):
    frame.f_locals
    return trace


sys.settrace(trace)
runpy.run_path("program.py", run_name="__main__")
PY
version=$(venv/bin/python -c 'import platform; print(platform.python_version())')
case $version in
3.10.13 | 3.11.7) expected="NameError: name '__class__' is not defined" ;;
3.13.0) expected=imported ;;
*) echo "CPython $version was not looked at, only 3.10.13, 3.11.7, 3.13.0"; exit 1 ;;
esac
without=$(venv/bin/python program.py)
traced=$(venv/bin/python tracer.py)
echo "without a tracer: $without"
echo "under a tracer: $traced"
[ "$without" = imported ] && [ "$traced" = "$expected" ] || { echo changed; exit 1; }
