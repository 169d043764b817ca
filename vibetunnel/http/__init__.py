"""The HTTP transport: listening sockets, acceptor, connections with deadlines, requests and answers, TLS relay.

It takes the place of Tornado's HTTP/1 server, which has no bounds on connections that are slow, silent or only half
open. A request goes from `acceptor` and `server` to `connection`, which gives the application an `exchange`.
"""
