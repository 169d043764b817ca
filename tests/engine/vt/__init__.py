"""What the tests of the terminal engine share: cases, oracles, the grammar, known differences, recordings."""
