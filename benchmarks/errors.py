"""What a measurement can die of. A peer that fails keeps the others from nothing; its cells say `failed`."""


class Wrong(Exception):
    """A peer answered something else than it had to; the message says what was expected and what came."""


class Unavailable(Exception):
    """A peer cannot be measured on this machine; the message says what is missing."""
