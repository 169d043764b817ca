"""Follow mode: the main worktree shows the commit of a linked one. And its hooks. Runs in the child process."""

from __future__ import annotations

import os
import shlex
import tempfile

import pygit2

from vibetunnel.git.errors import GitError, GitRefused
from vibetunnel.git.messages import Following, GitEvent, Hooks, Synced
from vibetunnel.git.repository import Repository, find, opened, start_of
from vibetunnel.git.roots import Folders
from vibetunnel.git.worktrees import FOLLOW, current, detach_at, folder_of, follow_path, main_place

HOOKS: dict[str, GitEvent] = {"post-commit": "commit", "post-checkout": "checkout"}
MARK = "# vibetunnel follow mode"  # second line of the hooks that are ours
SAVED = ".before-vibetunnel"  # added to the name of the hook that was there before

_HOOK = """#!/bin/sh
{mark}: written when it was turned on, removed when it is turned off.
# The hook that was here before runs first, and its exit code is this hook's.
before="$0{saved}"
status=0
if [ -x "$before" ]; then
  "$before" "$@"
  status=$?
fi
program={program}
[ -x "$program" ] || program=$(command -v vibetunnel)
if [ -n "$program" ]; then
  "$program" git-event --event {event} --repo "$(pwd -P)" </dev/null >/dev/null 2>&1 &
fi
exit $status
"""


def follow(place: Repository, branch: str, roots: Folders, program: str) -> Following:
    """Let the main worktree follow the one of a branch, or (branch "") none. program: what its hooks run."""
    main = main_place(place, roots)
    if not branch:
        return Following(root=main.root, branch="", path="", hooks=_stop(place))
    config = _config(place)
    git_dir, named = folder_of(place, branch)
    folder = roots.resolve(named)
    followed = find(folder, roots)
    if git_dir == place.common or followed is None or followed.git_dir != git_dir:
        raise GitRefused(f"{named} is not a linked worktree of this repository, so it cannot be followed")
    hooks = _install_hooks(place, program)
    config[FOLLOW] = folder
    found = Following(root=main.root, branch=current(followed)[0], path=folder, hooks=hooks)
    try:
        _show(main, followed)
    except (GitError, pygit2.GitError) as error:
        found.problem = str(error)
    return found


def _stop(place: Repository) -> Hooks:
    config = _config(place)
    if FOLLOW in config:
        del config[FOLLOW]
    return _remove_hooks(place)


def sync(place: Repository, event: GitEvent, roots: Folders) -> Synced:
    """Do what follow mode does when something has happened in one worktree."""
    followed_path = follow_path(place)
    branch, _ = current(place)
    synced = Synced(root=place.root, main=place.main, branch=branch, follow=followed_path)
    if not followed_path:
        return synced
    if place.root == followed_path:
        try:
            _show(main_place(place, roots), place)
        except (GitError, pygit2.GitError) as error:
            synced.notice = "error", "Sync failed", f"{place.main} could not follow {branch or place.root}: {error}"
        else:
            synced.notice = "info", "Main worktree synced", f"{place.main} shows {branch or place.root}"
    elif not place.linked and event == "checkout":
        _stop(place)
        synced.follow = ""
        synced.notice = "info", "Follow mode disabled", f"{place.root} was switched to {branch or 'a commit'}"
    return synced


def _show(main: Repository, followed: Repository) -> None:
    """Check out the commit of `followed` in the main worktree: git lets no two worktrees have one branch."""
    _, commit = current(followed)
    if commit and commit != current(main)[1]:
        detach_at(main, commit)


def _config(place: Repository) -> pygit2.Config:
    """The repository's own configuration. Raises GitRefused if it is a link, which could lead to another one."""
    path = f"{place.common}/config"
    if os.path.islink(path):
        raise GitRefused(f"{path} is a symbolic link, and is not changed")
    return pygit2.Config(path)


def _install_hooks(place: Repository, program: str) -> Hooks:
    if "core.hookspath" in opened(place).config:
        return Hooks(
            problem="core.hooksPath is set, so no hooks were installed: let your own post-commit and post-checkout "
            "hooks call `vibetunnel git-event --event commit` and `--event checkout`"
        )
    folder = _hooks_folder(place)
    os.makedirs(folder, exist_ok=True)
    for name in HOOKS:
        if not _ours(f"{folder}/{name}") and all(map(os.path.lexists, (f"{folder}/{name}", f"{folder}/{name}{SAVED}"))):
            raise GitRefused(f"{folder}: both {name} and {name}{SAVED} are there: remove one of them")
    for name, event in HOOKS.items():
        path = f"{folder}/{name}"
        if os.path.lexists(path) and not _ours(path):
            os.rename(path, path + SAVED)
        descriptor, made = tempfile.mkstemp(dir=folder, prefix=f"{name}.")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(_HOOK.format(mark=MARK, saved=SAVED, event=event, program=shlex.quote(program)))
            os.fchmod(descriptor, 0o755)
        os.rename(made, path)
    return Hooks(installed=list(HOOKS))


def _remove_hooks(place: Repository) -> Hooks:
    """Remove the hooks that are ours, and put back those that were there before."""
    folder, removed = _hooks_folder(place), []
    for name in HOOKS:
        path = f"{folder}/{name}"
        if not _ours(path):
            continue
        if os.path.lexists(path + SAVED):
            os.rename(path + SAVED, path)
        else:
            os.unlink(path)
        removed.append(name)
    return Hooks(removed=removed)


def _hooks_folder(place: Repository) -> str:
    folder = f"{place.common}/hooks"
    if os.path.islink(folder):
        raise GitRefused(f"{folder} is a symbolic link, and no hooks are changed there")
    return folder


def _ours(path: str) -> bool:
    return any(line.startswith(MARK) for line in start_of(path).splitlines()[1:2])
