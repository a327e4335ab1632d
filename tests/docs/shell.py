"""Shell blocks of the documentation, and whether the command line knows what they call."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer.main

from pointsman.cli.main import app

ROOT_COMMAND: Any = typer.main.get_command(app)
"""Typer brings a Click of its own, whose types are private."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_BETWEEN = ("|", "||", "&&", ";", "&", "(", ")")


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command of a block: comments and assignments left out, lines that end in `\\` joined."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in _BETWEEN:
                yield from _command(words)
                words = []
            else:
                words.append(word)
        yield from _command(words)


def _command(words: list[str]) -> Iterator[list[str]]:
    while words and _ASSIGNMENT.match(words[0]):
        words = words[1:]
    if words:
        yield words


def pointsman_arguments(words: list[str]) -> list[str] | None:
    """What follows `pointsman` where these words call it (also in a container, or as `python -m pointsman`)."""
    for place, word in enumerate(words):
        if word.rsplit("/", 1)[-1] == "pointsman" and (place == 0 or words[place - 1] in ("-m", "--", "exec", "nohup")):
            return words[place + 1 :]
    return None


def mistakes(arguments: list[str]) -> list[str]:
    """What the command line would not understand of `pointsman …`; empty when it would."""
    command, path, left = ROOT_COMMAND, "pointsman", list(arguments)
    while getattr(command, "commands", None) is not None:
        if left and left[0].startswith("-"):
            break
        if not left:
            return [f"{path} wants a command"]
        child = command.commands.get(left[0])
        if child is None:
            return [f"{path} has no command {left[0]!r}"]
        command, path, left = child, f"{path} {left[0]}", left[1:]
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}
    options |= {"--help": None, "-h": None}
    wanted = [p for p in command.params if p.param_type_name == "argument"]
    most = None if any(p.nargs == -1 for p in wanted) else sum(p.nargs for p in wanted)
    return list(_mistakes(path, left, options, most))


def _mistakes(path: str, left: list[str], options: dict[str, Any], most: int | None) -> Iterator[str]:
    n_given = 0
    while left:
        word = left.pop(0)
        if word in (">", ">>", "2>", "2>&1", "<"):
            break
        if not word.startswith("-") or word == "-":
            n_given += 1
            continue
        name, has_value, _ = word.partition("=")
        if name not in options:
            yield f"{path} has no option {name}"
            continue
        option = options[name]
        if option is not None and not option.is_flag and not has_value:
            if not left:
                yield f"{path} {name} wants a value"
            del left[:1]
    if most is not None and n_given > most:
        yield f"{path} takes {most} arguments, not {n_given}"
