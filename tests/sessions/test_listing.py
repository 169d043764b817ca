"""The cached list of sessions always equals a new one."""

from __future__ import annotations

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
