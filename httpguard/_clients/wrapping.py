"""wrapt: the environment's, or the copy that came along with `httpguard attach`.

Imported when something is patched, and not with httpguard: it brings asyncio, 20 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapt import register_post_import_hook, wrap_object
else:
    try:
        from .._wrapt import register_post_import_hook, wrap_object
    except ImportError:
        from wrapt import register_post_import_hook, wrap_object

__all__ = ["register_post_import_hook", "wrap_object"]
