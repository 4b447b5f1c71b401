"""`circulate completion`: completion of commands, options and names of streams in a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circulate_core.exceptions import SettingsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

SHELLS = ("bash", "zsh", "tcsh")
_STREAMS = {
    "bash": "_circulate_streams",
    "zsh": "_circulate_streams",
    "tcsh": "`circulate list --names`",
}
_PREAMBLE = {
    "bash": '_circulate_streams() { compgen -W "$(circulate list --names 2>/dev/null)" -- "$1"; }',
    "zsh": '_circulate_streams() { compadd -- ${(f)"$(circulate list --names 2>/dev/null)"} }',
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `circulate completion`."""
    parser.add_argument(
        "shell", choices=SHELLS, help='put `eval "$(circulate completion bash)"` into ~/.bashrc, or the like'
    )


def run(args: argparse.Namespace) -> int:
    """Write the script that the shell is to run."""
    print(script(args.shell, args.build_parser))
    return 0


def script(shell: str, build: Callable[[], argparse.ArgumentParser]) -> str:
    """Return the script that a shell is to run.

    Args:
        shell: Its name.
        build: Makes the parser of all commands.

    Raises:
        SettingsError: What makes scripts is not installed.
    """
    try:
        import shtab  # noqa: PLC0415 - for this command only
    except ModuleNotFoundError:
        message = "completion needs the package shtab"
        raise SettingsError(message, hint="pip install 'circulate-core[cli]'") from None
    parser = build()
    for action in _of_streams(parser):
        action.complete = _STREAMS  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell, preamble=_PREAMBLE.get(shell, "")))


def _of_streams(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments that are names of streams."""
    for action in parser._actions:  # noqa: SLF001 - there is no other way to know them
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from _of_streams(command)
        elif action.metavar in {"STREAM", "SOURCE|STREAM"}:
            yield action
