"""Shared by the terminal engine's tests: cases, oracles, the grammar, known differences, recordings."""
