"""The small process that owns the terminals, and its client (docs/keeper.md).

Nothing is imported here: the keeper stays small because it loads only the modules that it uses.
"""
