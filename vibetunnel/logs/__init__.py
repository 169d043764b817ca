"""The server's logs, as JSON lines: actions of users (audit.log), and every request (requests.log)."""
