"""Sessions: what they are, how they begin and end, and who hears of it."""
