# Marks prompts and commands (OSC 133) and the folder (OSC 7) for the terminal in which zsh runs. The marks are invisible.
#     eval "$(vibetunnel shell-integration zsh)"       in ~/.zshrc

if [[ -o interactive && -n ${TERM-} && ${TERM-} != dumb && -z ${__vibetunnel_on-} ]]; then
    typeset -g __vibetunnel_on=1 __vibetunnel_ran= __vibetunnel_quoted=
    typeset -ga precmd_functions preexec_functions

    # __vibetunnel_quote TEXT: __vibetunnel_quoted is TEXT percent-encoded.
    function __vibetunnel_quote() {
        emulate -L zsh -o extended_glob -o no_multibyte
        local MATCH MBEGIN MEND
        __vibetunnel_quoted=${1[1,4096]//(#m)[^a-zA-Z0-9\/._~-]/%${(l:2::0:)$(([##16]#MATCH))}}
    }

    # A command line was read, and is about to run.
    function __vibetunnel_begin() {
        emulate -L zsh
        __vibetunnel_ran=1
        __vibetunnel_quote "$1"
        builtin printf '\e]133;C;cmdline_url=%s\a' "$__vibetunnel_quoted"
    }

    # A command has ended, or the line was empty.
    function __vibetunnel_end() {
        local -i code=$?
        local percent=$options[prompt_percent]
        emulate -L zsh
        [[ -n $__vibetunnel_ran ]] && builtin printf '\e]133;D;%d\a' $code
        __vibetunnel_ran=
        __vibetunnel_quote "$PWD"
        builtin printf '\e]7;file://%s%s\a\e]133;A\a' "${HOST-}" "$__vibetunnel_quoted"
        # Themes rebuild the prompt, so this function must be the last one; a later one overrides it for one prompt only.
        if [[ ${precmd_functions[-1]} != __vibetunnel_end ]]; then
            precmd_functions=(${precmd_functions:#__vibetunnel_end} __vibetunnel_end)
        fi
        local mark=$'%{\e]133;B\a%}'
        [[ $percent == on && ${PS1-} != *$mark* ]] && PS1=${PS1-}$mark
        return $code
    }

    precmd_functions+=(__vibetunnel_end)
    preexec_functions+=(__vibetunnel_begin)
fi
