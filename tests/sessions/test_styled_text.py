"""The screen as text with marks of its styles."""

from __future__ import annotations

from harness import Running

from vibetunnel._ext import vt
from vibetunnel.sessions.styled_text import styled_text


def styled(output: str) -> str:
    engine = vt.Engine(2, 30)
    engine.feed(output.encode())
    return styled_text(engine.json()).decode()


def test_runs_are_marked_with_colours_and_attributes() -> None:
    assert styled("\033[1;31mred\033[m plain \033[38;2;1;2;3;48;5;200mrgb") == (
        '[style fg="1" bold]red[/style] plain [style fg="1,2,3" bg="200"]rgb[/style]\n'
    )
    assert styled("\033[2;3;4;7;8;9mx\033[m 漢  ") == (
        "[style dim italic underline inverse invisible strikethrough]x[/style] 漢\n"
    )


def test_a_screen_without_styles_is_its_text() -> None:
    assert styled("one\r\n[two]") == "one\n[two]"


async def test_rest_gives_the_screen_with_styles(server: Running) -> None:
    session = await server.session(["sh", "-c", r"printf '\033[1mbold\033[m end'; cat"])
    await server.output(session, b"end")
    for query in ("?styles", "?styles=1"):
        answer = await server.fetch("GET", f"/api/sessions/{session}/text{query}")
        assert answer.body.splitlines()[0] == b"[style bold]bold[/style] end"
        assert answer.headers["Content-Type"].startswith("text/plain")
    await server.json("GET", f"/api/sessions/{session}/text?styles&first=-1", status=400)
