"""The terminal multiplexers of the account: tmux, GNU screen and zellij."""
