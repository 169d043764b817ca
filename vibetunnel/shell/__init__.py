"""Scripts with which bash, zsh and fish mark their prompts and commands (OSC 133) and their folder (OSC 7)."""

from pathlib import Path

FOLDER = Path(__file__).parent
SCRIPTS = {
    "bash": FOLDER / "bash" / "vibetunnel.bash",
    "zsh": FOLDER / "zsh" / "vibetunnel.zsh",
    "fish": FOLDER / "fish" / "vendor_conf.d" / "vibetunnel.fish",
}


def script(shell: str) -> str:
    """The text that a start-up file of `shell` (a key of SCRIPTS) evaluates."""
    return SCRIPTS[shell].read_text(encoding="utf-8")
