"""Other libraries that patch the same clients, installed beside httpguard.

``python -m tests.company COMPANION URL ORDER...`` runs the programs of
`_programs` in a process of its own and prints what was seen as JSON.
"""
