"""`circulate practice-list`: a list on loopback, in any style of paging, with the traps of real ones."""

from circulate_core.cli.practice import PracticeCommand

_COMMAND = PracticeCommand("circulate_practice.paging.kit.command")
add_arguments, run = _COMMAND.add_arguments, _COMMAND.run
