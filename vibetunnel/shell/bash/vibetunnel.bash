# Marks prompts and commands (OSC 133) and the folder (OSC 7) for the terminal in which bash runs. The marks are invisible.
#     eval "$(vibetunnel shell-integration bash)"       in ~/.bashrc
# bash before 4.4 cannot report the start of a command: it marks only prompts and the folder.

if [[ $- == *i* && -n ${TERM-} && $TERM != dumb && -z ${__vibetunnel_on-} ]]; then
    __vibetunnel_on=1
    __vibetunnel_ran=
    __vibetunnel_next=
    # This shell evaluates `$(( ))`, so it can set a variable. A child evaluates the command substitution.
    __vibetunnel_ps0='${__vibetunnel_none:$((__vibetunnel_ran = 1, 0)):0}$(__vibetunnel_begin)'
    __vibetunnel_none=
    __vibetunnel_b='\[\e]133;B\a\]'

    # __vibetunnel_quote TEXT SAFE: __vibetunnel_quoted is TEXT percent-encoded, except for letters, digits and SAFE.
    __vibetunnel_quote() {
        local LC_ALL=C text=$1 out='' i byte code # bytes, in every locale
        for ((i = 0; i < ${#text} && i < 4096; i++)); do
            byte=${text:i:1}
            case $byte in
            [a-zA-Z0-9._~-]) out+=$byte ;;
            *)
                if [[ $2 == *"$byte"* ]]; then
                    out+=$byte
                else
                    printf -v code '%d' "'$byte"
                    printf -v byte '%%%02X' "$((code & 255))"
                    out+=$byte
                fi
                ;;
            esac
        done
        __vibetunnel_quoted=$out
    }

    # In a child of the shell: a command line was read, and is about to run.
    __vibetunnel_begin() {
        local HISTTIMEFORMAT='' entry number
        # The history may omit this line (HISTCONTROL, HISTIGNORE); the terminal then reads it from the screen.
        entry=$(builtin history 1 2>/dev/null)
        number=${entry#"${entry%%[! ]*}"}
        number=${number%%[!0-9]*}
        if [[ -n $number && -n $__vibetunnel_next && $number -ge $__vibetunnel_next ]]; then
            entry=${entry#*"$number"}
            entry=${entry#[* ] }
            __vibetunnel_quote "$entry" ' /=:,@+'
            builtin printf '\e]133;C;cmdline_url=%s\a' "$__vibetunnel_quoted"
        else
            builtin printf '\e]133;C\a'
        fi
    }

    # First in PROMPT_COMMAND: a command has ended, or the line was empty.
    __vibetunnel_end() {
        local code=$?
        if [[ -n $__vibetunnel_ran ]]; then
            builtin printf '\e]133;D;%s\a' "$code"
        fi
        __vibetunnel_ran=
        __vibetunnel_quote "$PWD" '/'
        builtin printf '\e]7;file://%s%s\a\e]133;A\a' "${HOSTNAME-}" "$__vibetunnel_quoted"
        return "$code" # for the next commands of PROMPT_COMMAND
    }

    # Last in PROMPT_COMMAND: other commands may have rebuilt the prompt.
    __vibetunnel_prompt() {
        local code=$?
        [[ ${PS1-} == *"$__vibetunnel_b"* ]] || PS1=${PS1-}$__vibetunnel_b
        if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
            [[ ${PS0-} == *"$__vibetunnel_ps0"* ]] || PS0=${PS0-}$__vibetunnel_ps0
            __vibetunnel_next=${HISTCMD-}
        fi
        return "$code"
    }

    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) && [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == "declare -a"* ]]; then
        PROMPT_COMMAND=(__vibetunnel_end "${PROMPT_COMMAND[@]}" __vibetunnel_prompt)
    else
        PROMPT_COMMAND="__vibetunnel_end"$'\n'"${PROMPT_COMMAND-}"$'\n'"__vibetunnel_prompt"
    fi
fi
