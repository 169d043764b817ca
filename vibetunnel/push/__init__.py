"""Web Push: tells a user's browsers of what happens in sessions, through the browsers' push services (RFC 8030)."""
