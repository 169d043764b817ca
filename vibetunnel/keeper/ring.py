"""The shared memory that holds a session's output."""

from __future__ import annotations

import os

RING_HEADER = 4096  # bytes before a ring's data; only the pump knows their meaning
RING_CHECKPOINTS = 2 * 1024 * 1024  # bytes after the data, likewise
RING_LIMIT = 1024 * 1024 * 1024  # bytes of data; generous, since untouched pages cost nothing


def make_ring(size: int, folder: str) -> int:
    """A descriptor of zeroed memory that can be shared: `size` bytes of output, and what the pump stores with them.

    folder  for the file that systems without memfd_create need for a moment
    """
    if hasattr(os, "memfd_create"):
        ring = os.memfd_create("vibetunnel-ring", os.MFD_CLOEXEC)
    else:  # macOS: an unlinked file serves as well
        # O_EXCL opens no existing file, link or FIFO; the random name avoids those of a killed keeper.
        path = os.path.join(folder, f"ring-{os.urandom(8).hex()}")
        ring = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    try:
        os.ftruncate(ring, RING_HEADER + size + RING_CHECKPOINTS)
    except BaseException:
        os.close(ring)
        raise
    return ring
