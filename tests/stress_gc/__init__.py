"""Collections at every allocation, in every thread, inside every lock.

The collector may run wherever something is allocated, and a dropped response that
is part of a cycle then dies there: inside the lock of a log handler, in the middle
of a sweep, while `install` has the lock of the process. What httpguard does at that
moment must not wait for anything. ``python -m tests.stress_gc --minutes 10`` tries
it, and fails where threads stop or a leak is miscounted.

`_threads` is what the threads of the program do, `_thresholds` how often the
collector runs, `_watchdog` says when somebody waits for ever.
"""
