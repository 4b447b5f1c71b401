"""`circulate practice-org`: an Okta-shaped server on loopback."""

from circulate_core.cli.practice import PracticeCommand

_COMMAND = PracticeCommand("circulate_practice.server.command")
add_arguments, run = _COMMAND.add_arguments, _COMMAND.run
