"""`httpguard attach`: into a program that runs already, and out of it again.

`start` and what it imports runs in the command. `entry` is sent to the program as a
script and brings httpguard in; `inside` and what it imports runs there then.
"""
