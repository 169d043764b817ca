"""Instructions and system calls of the hot paths, compared with committed figures: noise does not change them."""
