# Marks prompts and commands (OSC 133) and the folder (OSC 7) for the terminal that bash runs in. Prints nothing to see.
#     eval "$(vibetunnel shell-integration bash)"       in ~/.bashrc
# bash before 4.4 cannot say when a command begins: there, only prompts and the folder are marked.

if [[ $- == *i* && -n ${TERM-} && $TERM != dumb && -z ${__vibetunnel_on-} ]]; then
    __vibetunnel_on=1
    __vibetunnel_ran=
    __vibetunnel_next=
    # `$(( ))` is evaluated by this very shell, a command substitution by a child: what one sets, the other cannot.
    __vibetunnel_ps0='${__vibetunnel_none:$((__vibetunnel_ran = 1, 0)):0}$(__vibetunnel_begin)'
    __vibetunnel_none=
    __vibetunnel_b='\[\e]133;B\a\]'

    # __vibetunnel_quote TEXT SAFE: __vibetunnel_quoted is TEXT percent-encoded, but for letters, digits and SAFE.
    __vibetunnel_quote() {
        local LC_ALL=C text=$1 out='' i byte code # bytes, whatever the locale is
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
        # The history may leave this line out (HISTCONTROL, HISTIGNORE); the terminal then reads it off the screen.
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

    # First of PROMPT_COMMAND: a command has ended, or there was none.
    __vibetunnel_end() {
        local code=$?
        if [[ -n $__vibetunnel_ran ]]; then
            builtin printf '\e]133;D;%s\a' "$code"
        fi
        __vibetunnel_ran=
        __vibetunnel_quote "$PWD" '/'
        builtin printf '\e]7;file://%s%s\a\e]133;A\a' "${HOSTNAME-}" "$__vibetunnel_quoted"
        return "$code" # for those behind us
    }

    # Last of PROMPT_COMMAND: others may have made the prompt anew.
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
