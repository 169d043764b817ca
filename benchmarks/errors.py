"""Errors of a measurement. The other peers are still measured; the cells of the failed one say `failed`."""


class Wrong(Exception):
    """A peer gave a wrong answer; the message says what was expected and what came."""


class Unavailable(Exception):
    """A peer cannot be measured on this machine; the message says what is missing."""
