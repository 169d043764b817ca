# What a login bash of `vibetunnel --shell-integration` reads, as $ENV in POSIX mode: everything is put back as it would have
# been, the files of a login shell are read, and then the integration. Not in a function: those files may declare variables.

builtin set +o posix
builtin shopt -u inherit_errexit 2>/dev/null
builtin unset POSIXLY_CORRECT ENV
if [[ -n ${VIBETUNNEL_ENV+set} ]]; then
    export ENV="$VIBETUNNEL_ENV"
    builtin unset VIBETUNNEL_ENV
fi
# POSIX mode has another file for the history, chosen before anything is read.
[[ ${HISTFILE-} == "${HOME-}/.sh_history" ]] && HISTFILE=$HOME/.bash_history

if builtin shopt -q login_shell; then
    [[ -r /etc/profile ]] && builtin source /etc/profile
    if [[ -r ${HOME-}/.bash_profile ]]; then
        builtin source "$HOME/.bash_profile"
    elif [[ -r ${HOME-}/.bash_login ]]; then
        builtin source "$HOME/.bash_login"
    elif [[ -r ${HOME-}/.profile ]]; then
        builtin source "$HOME/.profile"
    fi
fi

if [[ -n ${VIBETUNNEL_SCRIPT-} && -r $VIBETUNNEL_SCRIPT ]]; then
    builtin source "$VIBETUNNEL_SCRIPT"
fi
builtin unset VIBETUNNEL_SCRIPT
