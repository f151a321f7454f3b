#!/usr/bin/env bash
# wrapt, which OpenTelemetry needs, cannot be imported under a tracer that reads local
# variables, before CPython 3.13.
#
# Under a tracer written in Python that looks at each frame's `f_locals`, `import wrapt`
# (2.5.2) ends in `NameError: name '__class__' is not defined`: the body of one of its
# classes defines `__class__` as a property, reads it again for `@__class__.setter`, and has
# methods that refer to `__class__` too. What stands on wrapt (OpenTelemetry, ddtrace) does
# not come up. With 3.13.0 it does.
#
# Versions: CPython 3.10.13 and 3.11.7.
#
# Seen with 3.11.7:
#   without a tracer: imported 2.5.2
#   under a tracer: NameError: name '__class__' is not defined
# With 3.13.0: imported each time. PYTHON names the interpreter.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -qq --disable-pip-version-check 'wrapt==2.5.2'
cat >"$work/program.py" <<'PY'
try:
    import wrapt
except NameError as error:
    print(f"NameError: {error}")
else:
    print("imported", wrapt.__version__)
PY
cat >"$work/tracer.py" <<'PY'
import runpy
import sys


def trace(frame, event, argument):
    frame.f_locals
    return trace


sys.settrace(trace)
runpy.run_path(sys.argv[1], run_name="__main__")
PY
case $("$work/venv/bin/python" -c 'import platform; print(platform.python_version())') in
3.10.13 | 3.11.7) traced="NameError: name '__class__' is not defined" ;;
3.13.0) traced="imported 2.5.2" ;;
*) echo "looked at with CPython 3.10.13, 3.11.7 and 3.13.0 only"; exit 1 ;;
esac
{
  echo "without a tracer: $("$work/venv/bin/python" "$work/program.py")"
  echo "under a tracer: $("$work/venv/bin/python" "$work/tracer.py" "$work/program.py")"
} | tee "$work/seen"
diff - "$work/seen" <<TXT || { echo changed; exit 1; }
without a tracer: imported 2.5.2
under a tracer: $traced
TXT
