"""`httpguard run`: a program and its child processes, guarded without a change.

`_target` says what is to be run, `_environment` how its Python processes learn to
guard themselves, `_child` runs it, `_outcome` reads what they found and `_table`
shows it. ``bootstrap/sitecustomize.py`` and `_inside` run in the guarded processes
and need only the library.
"""
