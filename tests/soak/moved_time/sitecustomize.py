"""Moves `time.time` of each Python that finds this on its path by what the file says that `SOAK_CLOCK` names."""

import mmap
import os
import struct
import time


def move(path: str) -> None:
    """Add what is in the file, a double of seconds, to every reading from now on, whenever that changes."""
    right_time, offset = time.time, struct.Struct("d")
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), offset.size, prot=mmap.PROT_READ)
    time.time = lambda: right_time() + offset.unpack_from(memory)[0]


if "SOAK_CLOCK" in os.environ:
    move(os.environ["SOAK_CLOCK"])
