"""Scaled pictures within bounds: a few kilobytes can be a picture of a billion pixels, or be asked for as one.

What is too large, broken or no picture is sent as it is, as Otter Wiki does with drawings: the browser scales it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import PIL.Image
from werkzeug.exceptions import HTTPException

MAX_SOURCE_PIXELS = 25_000_000  # 100 MB when it is decoded with four bytes each
MAX_RESULT_PIXELS = 4_000_000
# The others have decoders that nobody looks at, and one that starts a program (EPS).
_FORMATS = frozenset({"BMP", "GIF", "JPEG", "PNG", "WEBP"})

logger = logging.getLogger("robot.worker")


def install(attachment: Any) -> None:
    """Bound what Otter Wiki's class of attachments scales; before the first request."""
    PIL.Image.init()
    PIL.Image.ID[:] = [name for name in PIL.Image.ID if name in _FORMATS]
    PIL.Image.MAX_IMAGE_PIXELS = MAX_SOURCE_PIXELS // 2  # Pillow warns from here on, and refuses twice as many
    PIL.Image.Image.resize = _bounded(PIL.Image.Image.resize)  # type: ignore[method-assign]
    stock, one_at_a_time = attachment.get_thumbnail, threading.Lock()

    def get_thumbnail(self: Any, size: int = 80, width: int | None = None, height: int | None = None) -> Any:
        try:
            with one_at_a_time:
                return stock(self, size, width, height)
        except HTTPException:
            raise
        except Exception as error:  # decoders raise what they like
            logger.info("%s is sent as it is: %s", self.filepath, error)
            return self.get()

    attachment.get_thumbnail = get_thumbnail


def _bounded(resize: Callable[..., PIL.Image.Image]) -> Callable[..., PIL.Image.Image]:
    def bounded(self: PIL.Image.Image, size: tuple[int, int], *arguments: Any, **options: Any) -> PIL.Image.Image:
        width, height = size
        if width * height > MAX_RESULT_PIXELS:
            raise ValueError(f"{width} × {height} pixels are asked for")
        return resize(self, size, *arguments, **options)

    return bounded
