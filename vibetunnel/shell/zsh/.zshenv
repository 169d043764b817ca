# The first file that zsh reads under `vibetunnel --shell-integration`, which sets ZDOTDIR to this folder. It restores
# ZDOTDIR, so that zsh reads the user's own files next, and reads the user's .zshenv itself.

if [[ -n ${VIBETUNNEL_ZDOTDIR+set} ]]; then
    export ZDOTDIR=$VIBETUNNEL_ZDOTDIR
    unset VIBETUNNEL_ZDOTDIR
else
    unset ZDOTDIR
fi
if [[ -o interactive && -r ${VIBETUNNEL_SCRIPT-} ]]; then
    source "$VIBETUNNEL_SCRIPT"
fi
unset VIBETUNNEL_SCRIPT
if [[ -r ${ZDOTDIR-$HOME}/.zshenv ]]; then
    source "${ZDOTDIR-$HOME}/.zshenv"
fi
