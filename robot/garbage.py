"""What Python's garbage collector need not look through."""

from __future__ import annotations

import gc


def keep_what_is_loaded() -> None:
    """Take everything that is there now for kept, as is true of a large library that has just been imported.

    A full collection else walks through all of it, in whichever thread happens to trigger one: up to a tenth of a
    second, in which nobody is answered. For that reason none is made first; an import leaves next to no garbage.
    """
    gc.freeze()
