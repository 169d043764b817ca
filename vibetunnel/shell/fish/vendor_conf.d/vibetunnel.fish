# Marks prompts and commands (OSC 133) and the folder (OSC 7) for the terminal in which fish runs. The marks are invisible.
#     vibetunnel shell-integration fish | source       in ~/.config/fish/config.fish
# fish 4 and newer print these marks themselves.

# With `vibetunnel --shell-integration` fish finds this file through XDG_DATA_DIRS, which is restored for its programs.
if set -q VIBETUNNEL_SCRIPT
    if set -q VIBETUNNEL_XDG_DATA_DIRS
        set -gx XDG_DATA_DIRS $VIBETUNNEL_XDG_DATA_DIRS
    else
        set -e XDG_DATA_DIRS
    end
    set -e VIBETUNNEL_XDG_DATA_DIRS
    set -e VIBETUNNEL_SCRIPT
end

if status is-interactive; and set -q TERM; and test "$TERM" != dumb; and not set -q __vibetunnel_on; and string match -qr '^[0-3]\.' -- $version
    set -g __vibetunnel_on 1

    function __vibetunnel_end --on-event fish_postexec
        printf '\e]133;D;%d\a' $status
    end

    function __vibetunnel_begin --on-event fish_preexec
        printf '\e]133;C;cmdline_url=%s\a' (string join \n -- $argv | string collect | string sub -l 4096 | string escape --style=url | string join '%0A')
    end

    function __vibetunnel_prompt --on-event fish_prompt
        printf '\e]7;file://%s%s\a\e]133;A\a' $hostname (string escape --style=url -- $PWD)
        # At the first prompt, after the user's own is defined, and again after it is replaced.
        if not functions -q __vibetunnel_prompt_of_user; or not functions fish_prompt | string match -q '*__vibetunnel_prompt_of_user*'
            functions -e __vibetunnel_prompt_of_user
            functions -c fish_prompt __vibetunnel_prompt_of_user
            function fish_prompt
                __vibetunnel_prompt_of_user
                printf '\e]133;B\a'
            end
        end
    end
end
