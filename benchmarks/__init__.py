"""The table of this project's figures, and its peers' beside them: `python -m benchmarks`."""
