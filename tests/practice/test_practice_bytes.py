"""A seed gives the same bytes in every version: whoever compares two pulls of an org relies on it."""

import hashlib
import json

import pytest
from support.practice_client import Clock

from circulate_practice import PracticeOrg
from circulate_practice.okta.routes import LISTS

DIGESTS = {
    "users": ("164a85dfc5ca032e", "9666e8fcc9e51e2e"),
    "apps": ("f07160f6d8e75d7a", "240c555a0f56579e"),
    "app_users": ("e5ec1ef990d116c6", "43eaeb79f33d2e95"),
    "app_groups": ("6d1d266ad462084d", "051e4ba29b4f8ede"),
    "groups": ("b6a0929fbcce5be1", "11bd6652e3fc9d13"),
    "group_members": ("2b3a955f4cd005f7", "0df51a9d48e116c0"),
    "logs": ("28692cc5efa0abed", "e7e104a20fd9100d"),
    "devices": ("dd86c08435e39859", "abf924fba673feb7"),
    "policies": ("efca71d0a68d3faa", "5087734300c5029d"),
    "user_factors": ("96cab5ec8cc42ec0", "72ba5023ac21622f"),
    "user_roles": ("3017a6549c9dc953", "1debfec0caae9f93"),
    "role_assignees": ("762e86994fdac687", "762e86994fdac687"),
    "api_tokens": ("fac4ea617df8b842", "b4ab1ef6345ba8eb"),
    "zones": ("d729e8f80fde0dc5", "17579daf3854a216"),
    "authorization_servers": ("9b525141ca6b9630", "963b8b3d89bee826"),
}
"""Beginning of the SHA-256 of the truth of every list, without edge cases and with them."""


def made(clock: Clock, *, edge_cases: bool) -> PracticeOrg:
    """Return an org in which every kind of record occurs, was renamed, added and deleted."""
    org = PracticeOrg(
        users=150,
        apps=60,
        app_users=(0, 9),
        groups=60,
        group_members=(0, 9),
        events=150,
        devices=120,
        policies=10,
        user_factors=(0, 5),
        role_assignees=60,
        api_tokens=120,
        zones=120,
        authorization_servers=120,
        seed=17,
        clock=clock,
        edge_cases=edge_cases,
    )
    org.change(20)
    org.add_events(3)
    for name in ("apps", "groups", "devices", "policies", "api_tokens", "zones", "authorization_servers"):
        first, second, *_ = [entry["id"] for entry in org.truth(name)]
        org.rename(first)
        org.delete(second)
        org.add(name)
    for name, parents in (
        ("app_users", "apps"),
        ("app_groups", "apps"),
        ("user_factors", "users"),
        ("user_roles", "users"),
    ):
        parent = next(iter(org.truth(parents)))["id"]
        org.change_children(name, parent, add=3, update=1, remove=1)
    return org


def digest_of(org: PracticeOrg, name: str) -> str:
    """Return the beginning of a digest of the truth of a list, which holds a digest of every record."""
    return hashlib.sha256(json.dumps(list(org.truth(name)), sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("edge_cases", [False, True])
def test_a_seed_gives_the_same_bytes_in_every_version(clock: Clock, *, edge_cases: bool) -> None:
    org = made(clock, edge_cases=edge_cases)
    assert {name: digest_of(org, name) for name in LISTS} == {name: pair[edge_cases] for name, pair in DIGESTS.items()}
