# The first file of a zsh of `vibetunnel --shell-integration`, which has this folder as ZDOTDIR: that is put back, so that zsh
# reads the user's own files, of which this one has taken the place of the first.

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
