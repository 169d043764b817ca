# A login bash reads this file under `vibetunnel --shell-integration`, as $ENV in POSIX mode. It leaves that mode, reads the
# files of a login shell, and then the integration. Not in a function: those files may declare variables.

builtin set +o posix
builtin shopt -u inherit_errexit 2>/dev/null
builtin unset POSIXLY_CORRECT ENV
if [[ -n ${VIBETUNNEL_ENV+set} ]]; then
    export ENV="$VIBETUNNEL_ENV"
    builtin unset VIBETUNNEL_ENV
fi
# POSIX mode has another history file, which bash chooses before it reads any file.
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
