"""The transport below the application: listening sockets, connections, their deadlines, TLS."""
