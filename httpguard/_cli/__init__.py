"""The commands of `httpguard`, one module each.

A module has a function ``register(app)`` that adds its command, and is listed in
`app`. Only `extras` may be imported without the packages of the extra ``cli``.
"""
