"""`python -m vibetunnel`."""

from vibetunnel.cli import main

main()
