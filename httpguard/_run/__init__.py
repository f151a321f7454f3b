"""`httpguard run`: a program and its child processes, guarded without a change.

`target` says what is to be run, `environment` how its Python processes learn to guard
themselves, `child` runs it, `outcome` reads and says what they found, and `table` shows
it.
``bootstrap/sitecustomize.py`` and `inside` run in the guarded processes and need only
the library.
"""
