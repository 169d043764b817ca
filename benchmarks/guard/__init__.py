"""Instructions and system calls of the hot paths, compared with what they were: what noise cannot change."""
