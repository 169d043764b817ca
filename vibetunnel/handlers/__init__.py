"""The routes: their table, their declarations, and the handlers that answer them.

A request passes `application` (finds its route), `access` (may it be answered?) and the handler of its route, which
parses, asks the sessions or the authority, and answers. Each new route is one line in `routes` and one handler.
"""
