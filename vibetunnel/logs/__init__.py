"""What the server writes down: who did what (audit.log), and every request (requests.log), as JSON lines."""
