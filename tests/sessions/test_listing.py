"""The cached list of sessions always equals a new one."""

from __future__ import annotations

import json
from typing import Any

from harness import Running, until
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.sessions.listing import Listing


class Summary:
    def __init__(self, text: str, *, static: bool) -> None:
        self.text = text
        self.static = static

    def summary(self) -> bytes:
        return self.text.encode()


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "move", "start", "look"]), st.integers(0, 4)), max_size=30))
def test_it_is_always_that_of_the_sessions_as_they_are(steps: list[tuple[str, int]]) -> None:
    sessions: dict[str, Summary] = {}
    listing = Listing(sessions)
    for number, (what, which) in enumerate(steps):
        name = str(which)
        match what:
            case "add" if name not in sessions:
                sessions[name] = Summary(f"{name}:{number}", static=True)
                listing.changed()
            case "remove" if name in sessions:
                del sessions[name]
                listing.changed()
            case "start" if name in sessions:
                sessions[name].static = False
                listing.changed()
            case "move" if name in sessions and not sessions[name].static:
                sessions[name].text = f"{name}:{number}"  # without a call of changed()
        texts = [each.text for each in reversed(sessions.values())]
        assert listing.encoded() == f"[{','.join(texts)}]".encode()


def test_nothing_is_put_together_again_when_nothing_has_changed() -> None:
    sessions = {"a": Summary("a", static=True), "b": Summary("b", static=False)}
    listing = Listing(sessions)
    assert listing.encoded() is listing.encoded()
    sessions["b"].text = "c"
    assert listing.encoded() == b"[c,a]"


CHANGES = {  # what a program prints, and what a list then shows
    r"\033]2;a title\007": {"title": "a title"},
    r"\033]7;file:///tmp\007": {"folder": "/tmp"},
    r"\033]9;4;1;40\007": {"progress": {"state": "set", "percent": 40}},
    r"\033]22;wait\007": {"pointer": "wait"},
    r"\033]1337;SetUserVar=a=Yg==\007": {"userVars": {"a": "b"}},
    r"\033]1337;SetUserVar=a=Yw==\007": {"userVars": {"a": "c"}},
    r"\033]1337;SetUserVar=a=\007": {},
}


async def test_the_list_shows_each_change_of_a_running_session(server: Running) -> None:
    steps = "".join(f"read x; printf '{each}'; " for each in CHANGES)
    session = await server.session(f"stty -echo; {steps} read x; exit 3", spawn="now")
    registry = server.server.context.registry

    async def shows(wanted: dict[str, Any]) -> None:
        def shown() -> bool:
            (listed,) = json.loads(registry.listing.encoded())
            return all(listed.get(name) == value for name, value in wanted.items())

        await until(shown)

    expected: dict[str, Any] = {"status": "running", "title": None, "userVars": None}
    await shows(expected)
    for wanted in CHANGES.values():
        registry.get(session).write(b"\n")
        expected |= {"userVars": None, **wanted}
        await shows(expected)
    await server.json("PATCH", f"/api/sessions/{session}", {"name": "renamed"})
    await server.json("POST", f"/api/sessions/{session}/resize", {"rows": 30, "cols": 100})
    await shows(expected | {"name": "renamed", "rows": 30, "cols": 100})
    client = await server.attach(session)
    await shows({"clients": 1})
    client.close()
    await shows({"clients": 0})
    registry.get(session).write(b"\n")
    await shows({"status": "exited", "exitCode": 3, "pointer": None})
