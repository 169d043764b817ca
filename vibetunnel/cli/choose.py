"""Which session, link or token an id or a name on the command line means."""

from collections.abc import Iterable, Sequence

from vibetunnel.cli.errors import UserError
from vibetunnel.cli.output import plain
from vibetunnel.cli.server_client import Answer

MIN_PREFIX = 8  # characters of an id that `ls` shows; more if two sessions begin with the same


def choose(sessions: Sequence[Answer], wanted: str) -> Answer:
    """The session with this id or this name, or the only one whose id begins like this. Raises UserError."""
    by_id = [found for found in sessions if found["id"] == wanted]
    by_name = [found for found in sessions if found.get("name") == wanted]
    by_prefix = [found for found in sessions if wanted and found["id"].startswith(wanted.lower())]
    for matches in (by_id, by_name, by_prefix):
        if len(matches) == 1:
            return matches[0]
        if matches:
            ids = ", ".join(short_ids(sessions)[found["id"]] for found in matches)
            raise UserError(f"{plain(wanted)!r} is more than one session: give one of the ids {ids}")
    raise UserError(f"no session has the id or name {plain(wanted)!r}: `vibetunnel ls` lists them")


def one_of(ids: Iterable[str], wanted: str, what: str) -> str:
    """The id that is `wanted`, or the only one that begins with it. Raises UserError."""
    ids = list(ids)
    found = [each for each in ids if each == wanted] or [each for each in ids if wanted and each.startswith(wanted)]
    if not found:
        raise UserError(f"there is no {what} {plain(wanted)!r}")
    if len(found) > 1:
        raise UserError(f"{plain(wanted)!r} is more than one {what}: give one of {', '.join(map(plain, found))}")
    return found[0]


def short_ids(sessions: Iterable[Answer]) -> dict[str, str]:
    """id -> its shortest beginning that differs from all others, MIN_PREFIX characters at least."""
    ids = {found["id"] for found in sessions}
    length = MIN_PREFIX
    while len({each[:length] for each in ids}) < len(ids):
        length += 1
    return {each: each[:length] for each in ids}


def label(session: Answer) -> str:
    """The name of a session, or the beginning of its id."""
    return plain(session.get("name") or session["id"][:MIN_PREFIX])
