"""Who may come in. Knows no handler."""
