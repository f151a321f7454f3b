#!/usr/bin/env bash
# celery 5.7.0, billiard 4.3.2, kombu 5.7.0, CPython 3.11, Linux: a warm shutdown (SIGTERM)
# lets the task that runs come to its end, but not where the child that runs it has
# replaced another one (`--max-tasks-per-child`) and the broker's transport is a blocking
# one, as of a file system or a database. A thread of the first process forks these
# children, the kernel is asked to kill them when their parent is gone, and takes the end
# of that thread for it.
#
# Seen:
#   a first child: began, ended
#   one that has replaced it: began
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q --disable-pip-version-check \
  'celery==5.7.0' 'kombu==5.7.0' 'billiard==4.3.2' 2>/dev/null
cat >"$work/tasks.py" <<'PY'
import pathlib
import time

import celery

HERE = pathlib.Path(__file__).parent
folder = HERE / "queue"
folder.mkdir(exist_ok=True)
app = celery.Celery("tasks", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(HERE / "control"),
    },
    task_ignore_result=True,
)


def say(word):
    with open(HERE / "said", "a") as file:
        file.write(word + "\n")


@app.task
def quick():
    say("quick")


@app.task
def slow():
    say("began")
    time.sleep(5)
    say("ended")
PY
cat >"$work/program.py" <<'PY'
import pathlib
import signal
import subprocess
import sys
import time

import tasks

said = tasks.HERE / "said"


def run(*options):
    said.write_text("")
    tasks.quick.delay()
    tasks.slow.delay()
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c", "1", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while "began" not in said.read_text():
        time.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    worker.wait(60)
    for message in (tasks.HERE / "queue").iterdir():
        message.unlink()
    return ", ".join(said.read_text().split()[1:])


print("a first child:", run())
print("one that has replaced it:", run("--max-tasks-per-child", "1"))
PY
cd "$work"
"$work/venv/bin/python" program.py | tee "$work/seen"
diff - "$work/seen" <<'TXT'
a first child: began, ended
one that has replaced it: began
TXT
