"""Sessions: their life cycle, the clients attached to them, and the events about them."""
