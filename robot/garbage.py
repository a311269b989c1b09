"""What Python's garbage collector need not look through."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Collect nothing while a large library is loaded, and then take everything that is there now for kept.

    A full collection walks through all of it, in whichever thread happens to trigger one: up to an eighth of a second,
    in which nobody is answered. What an import leaves behind is next to no garbage.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
