"""A repository at a glance: its branch, and how much has changed. Runs in the child process."""

from __future__ import annotations

import pygit2

from vibetunnel.git.changes import staged, unstaged
from vibetunnel.git.messages import Summary
from vibetunnel.git.reading import Room, count_ahead, head_of, remote_url, shown
from vibetunnel.git.repository import Repository, opened

LISTED = 1000  # files of each kind
LISTED_BYTES = 256 << 10  # of all their names


def summary(place: Repository) -> Summary:
    repository = opened(place)
    branch, head = head_of(repository)
    found = Summary(
        root=place.root,
        main=place.main,
        linked=place.linked,
        git_dir=place.git_dir,
        common_dir=place.common,
        branch=branch,
        head="" if head is None else str(head.id),
        remote=remote_url(repository),
    )
    if head is not None:
        found.last_commit = head.message.partition("\n")[0][:200]
        found.last_commit_s = head.commit_time
    count_ahead(repository, branch, head, found)
    if not place.bare:
        _count_changes(repository, head, found)
    return found


def _count_changes(repository: pygit2.Repository, head: pygit2.Commit | None, found: Summary) -> None:
    changed, room = set(), Room(3 * LISTED, LISTED_BYTES)
    for path, _, kind in staged(repository, head):
        changed.add(path)
        found.staged += 1
        found.added += kind == "added"
        found.deleted += kind == "deleted"
        _list(found.staged_files, path, room)
    for path, kind in unstaged(repository):
        if kind == "untracked":
            found.untracked += 1
            _list(found.untracked_files, path, room)
        else:
            found.modified += kind != "deleted"
            # As in `git status`: what is staged and then deleted counts once.
            found.deleted += kind == "deleted" and path not in changed
            _list(found.unstaged_files, path, room)
        changed.add(path)
    found.changed = len(changed)


def _list(files: list[str], path: str, room: Room) -> None:
    if len(files) < LISTED and room.takes(path):
        files.append(shown(path))
