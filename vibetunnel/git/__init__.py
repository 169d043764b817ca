"""Git repositories, read and changed by libgit2 in a child process of ours. Knows nothing of HTTP.

service.py  `GitService`: what the rest of the server calls; `file_diff` and `folder_status` serve the file browser
worker.py   the child process; sandbox.py takes its rights away, repository.py finds and checks a repository
watch.py    tells when a repository changes

A repository is hostile input: whoever wrote its files may have wanted this server to run a program, to read or write
outside of the permitted folders, or to hang. docs/git.md says what is done about each.
"""
