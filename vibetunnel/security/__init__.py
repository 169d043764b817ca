"""Access: accounts, credentials, hosts, addresses and limits. Knows no handler."""
