"""The routes: their table, their declarations, and the handlers that answer them.

A request passes `application` (finds its route), `access` (may it be answered?) and the handler of its route, which
parses, asks the sessions or the authority, and answers. docs/architecture.md lists what a new route needs.
"""
