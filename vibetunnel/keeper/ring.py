"""The shared memory that holds a session's output."""

from __future__ import annotations

import os

RING_HEADER = 4096  # bytes before a ring's data; what they hold is the pump's business
RING_CHECKPOINTS = 2 * 1024 * 1024  # bytes behind it, likewise
RING_LIMIT = 1024 * 1024 * 1024  # bytes; untouched pages cost nothing, but a bound there must be


def make_ring(size: int, folder: str) -> int:
    """A descriptor of zeroed memory for `size` bytes of output and what the pump keeps beside them, to be shared.

    folder  for what cannot be had without a name for a moment
    """
    if hasattr(os, "memfd_create"):
        ring = os.memfd_create("vibetunnel-ring", os.MFD_CLOEXEC)
    else:  # macOS: a file that no longer has a name is as good
        # Nobody's file, link or FIFO is opened (O_EXCL), and none that a killed keeper has left is in the way.
        path = os.path.join(folder, f"ring-{os.urandom(8).hex()}")
        ring = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    try:
        os.ftruncate(ring, RING_HEADER + size + RING_CHECKPOINTS)
    except BaseException:
        os.close(ring)
        raise
    return ring
