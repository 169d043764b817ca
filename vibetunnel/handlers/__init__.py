"""HTTP and WebSocket, thin: parse, authorise, call, answer."""
