"""Shell completion, made from the command table. Pure: text in, text out."""

from __future__ import annotations

from console.arguments import Argument, Command
from console.commands import COMMANDS


def completion(shell: str) -> str:
    """The completion script for ``bash``, ``zsh`` or ``fish``."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _bash() -> str:
    verbs = " ".join(row.verb for row in COMMANDS)
    cases = "\n".join(_bash_case(row) for row in COMMANDS)
    return f"""\
# bash completion for aircon; made by `aircon completion bash`
_aircon() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local options="" values="" files=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{verbs} --help --version" -- "$word"))
        return
    fi
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
    if [ -n "$values" ]; then
        COMPREPLY=($(compgen -W "$values" -- "$word"))
    elif [ "$files" = directory ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
    elif [ "$files" = file ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [ "$files" != nothing ]; then
        COMPREPLY=($(compgen -W "$options" -- "$word"))
    fi
}}
complete -F _aircon aircon
"""


def _bash_case(row: Command) -> str:
    options = [name for each in row.arguments if each.is_option for name in each.names]
    lines = [f"    {row.verb})", f'        options="{" ".join([*options, "--help"])}"']
    positional = [each for each in row.arguments if not each.is_option]
    after = [_bash_after(each) for each in row.arguments if each.takes_value]
    # A word that does not start with "-" and follows no option is a positional argument.
    other = [_bash_what(each) for each in positional if _offers(each)]
    fallback = f'        *) case "$word" in -*) ;; *) {other[0]} ;; esac ;;' if other else ""
    body = [*after, *([fallback] if fallback else [])]
    if body:
        lines += ['        case "$before" in', *body, "        esac"]
    return "\n".join([*lines, "        ;;"])


def _bash_after(argument: Argument) -> str:
    return f"        {'|'.join(argument.names)}) {_bash_what(argument)} ;;"


def _bash_what(argument: Argument) -> str:
    choices = argument.options.get("choices")
    if choices:
        return f'values="{" ".join(choices)}"'
    return f"files={argument.completes}"


def _offers(argument: Argument) -> bool:
    return argument.completes != "nothing" or bool(argument.options.get("choices"))


def _zsh() -> str:
    verbs = "\n".join(f"        {_quoted(f'{row.verb}:{row.summary}')}" for row in COMMANDS)
    cases = "\n".join(_zsh_case(row) for row in COMMANDS)
    return f"""\
#compdef aircon
# zsh completion for aircon; made by `aircon completion zsh`
_aircon() {{
    local -a commands
    commands=(
{verbs}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    local verb=$words[2]
    shift words
    (( CURRENT-- ))
    case $verb in
{cases}
    esac
}}
if [ "$funcstack[1]" = _aircon ]; then _aircon "$@"; else compdef _aircon aircon; fi
"""


def _zsh_case(row: Command) -> str:
    specs = [_zsh_spec(each) for each in row.arguments]
    joined = " \\\n            ".join([*specs, "'--help[this text]'"])
    return f"    {row.verb})\n        _arguments \\\n            {joined}\n        ;;"


def _zsh_spec(argument: Argument) -> str:
    choices = argument.options.get("choices")
    action = {"file": "_files", "directory": "_files -/", "nothing": ""}[argument.completes]
    if choices:
        action = f"({' '.join(choices)})"
    message = str(argument.options.get("metavar", argument.names[0])).replace(":", "")
    if not argument.is_option:
        many = "*" if argument.options.get("nargs") == "+" else ""
        return _quoted(f"{many}:{message}:{action}")
    text = argument.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = f":{message}:{action}" if argument.takes_value else ""
    specs = [_quoted(f"{name}[{text}]{value}") for name in argument.names]
    return " ".join(specs)


def _fish() -> str:
    lines = [
        "# fish completion for aircon; made by `aircon completion fish`",
        "complete -c aircon -f",
    ]
    for row in COMMANDS:
        summary = _quoted(row.summary)
        lines.append(f"complete -c aircon -n __fish_use_subcommand -a {row.verb} -d {summary}")
        lines += [_fish_line(row.verb, each) for each in row.arguments if _fish_says(each)]
    return "\n".join(lines) + "\n"


def _fish_says(argument: Argument) -> bool:
    return argument.is_option or _offers(argument)


def _fish_line(verb: str, argument: Argument) -> str:
    words = [f"complete -c aircon -n '__fish_seen_subcommand_from {verb}'"]
    if argument.is_option:
        words += [
            f"-l {each[2:]}" if each[1] == "-" else f"-s {each[1:]}" for each in argument.names
        ]
    choices = argument.options.get("choices")
    if argument.takes_value:
        words.append("-r")
    if choices:
        words.append(f"-a {_quoted(' '.join(choices))}")
    elif argument.completes != "nothing":
        words.append("-F")
    return " ".join([*words, f"-d {_quoted(argument.help)}"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
