"""The account that runs this process."""

from __future__ import annotations

import os
import pwd


def account() -> pwd.struct_passwd | None:
    """Its entry; None: it has none, as in some containers."""
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None
