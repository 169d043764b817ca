"""The account that everything runs as, where it has an entry."""

from __future__ import annotations

import os
import pwd


def account() -> pwd.struct_passwd | None:
    """None in a container that may run a user without one."""
    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None
