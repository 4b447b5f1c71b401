"""Stand-ins for what must not be recorded: the same for the same value, of the same shape, and no two alike."""

from __future__ import annotations

import ipaddress
import random
import re
import string
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_DOMAINS: Final = ("example.com", "example.org", "example.net")
"""Names that nobody can have (RFC 2606)."""
_NETWORKS: Final = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")
"""Addresses that nobody has (RFC 5737, RFC 2544)."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d$")
_ATTEMPTS: Final = 50


class StandIns:
    """Makes stand-ins, numbered in the order in which values turn up: of a value they have its shape alone."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._domains: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def email(self, address: str) -> str:
        """Return an address of a domain that nobody has. Upper case stays where it is."""
        local, _, domain = address.rpartition("@")
        domain = self._domain(domain)
        return self._once("email", address, lambda seed: f"{_shaped(local, seed)}@{domain}")

    def address(self, address: str) -> str:
        """Return an IP address that nobody has."""
        if address not in self._addresses:
            number = len(self._addresses) + 1
            if ":" in address:
                self._addresses[address] = str(ipaddress.ip_address("2001:db8::") + number)
            else:
                self._addresses[address] = _documented(number)
        return self._addresses[address]

    def shaped(self, kind: str, value: str) -> str:
        """Return letters for letters and digits for digits."""
        if _DATE.match(value):
            return self._once(kind, value, lambda seed: f"19{seed.randrange(50, 90)}-0{seed.randrange(1, 9)}-15")
        return self._once(kind, value, lambda seed: _shaped(value, seed))

    def _once(self, kind: str, value: str, make: Callable[[random.Random], str]) -> str:
        # Who compares without regard to case has to find the same again.
        folded = (kind, value.casefold())
        if folded not in self._made:
            number = sum(each == kind for each, _ in self._made)
            for attempt in range(_ATTEMPTS):
                # The same on every machine and in every version: it is written down.
                made = make(random.Random(f"{kind} {number} {attempt}")).casefold()  # noqa: S311 - nothing is kept secret by it
                if made not in self._taken and made != value.casefold():
                    break
            else:
                # There are fewer of this shape than values.
                made = f"{made}{number}"
            self._taken.add(made)
            self._made[folded] = made
        return _cased(self._made[folded], value)

    def _domain(self, domain: str) -> str:
        domain = domain.casefold()
        if domain not in self._domains:
            number = len(self._domains)
            self._domains[domain] = _DOMAINS[number] if number < len(_DOMAINS) else f"d{number}.example"
        return self._domains[domain]


def _documented(number: int) -> str:
    for text in _NETWORKS:
        network = ipaddress.ip_network(text)
        if number < network.num_addresses - 1:
            return str(network[number])
        number -= network.num_addresses - 2
    return str(ipaddress.ip_address("10.0.0.0") + number)


def _shaped(value: str, seed: random.Random) -> str:
    """Return something of the same shape, in small letters."""
    made = []
    for index, character in enumerate(value):
        if character.isdigit():
            # No number begins with 0.
            made.append(seed.choice(string.digits if index else string.digits[1:]))
        elif character.isalpha():
            made.append(seed.choice(string.ascii_lowercase))
        else:
            made.append(character)
    return "".join(made)


def _cased(made: str, value: str) -> str:
    """Return what was made with upper case where a value has it."""
    return "".join(
        letter.upper() if index < len(value) and value[index].isupper() else letter for index, letter in enumerate(made)
    )
