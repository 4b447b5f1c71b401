"""How many of 446 public connectors a definition can express: computed from what each needs, and from tests that pass.

A need counts only if every test that is named for it is collected and passes, in a run that this test starts.
"""

import csv
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDS = ROOT / "tests/support/data/needs.csv"
CODE = ROOT / "tests/support/data/code.csv"
"""What the code of connectors does that have code of their own, by what was read of it."""
GUIDE = ROOT / "python/docs/definitions.md"
OWN_CODE = "CODE"


def paged(*styles: str) -> tuple[str, ...]:
    """Return the tests that prove styles of paging."""
    test = "tests/pull/test_paginators.py::test_a_list_that_is_stopped_at_every_page_is_pulled_whole"
    return tuple(f"{test}[{style}]" for style in styles)


def keyed(*keys: str) -> tuple[str, ...]:
    """Return the tests that prove ways to sign in by a header."""
    return tuple(f"tests/pull/test_paginators.py::test_a_list_that_needs_a_key_is_pulled[{key}]" for key in keys)


def sent(*names: str) -> tuple[str, ...]:
    """Return the tests that prove ways to sign in by keys."""
    test = "tests/pull/test_keys.py::test_a_key_of_each_kind_is_sent_as_the_definition_says"
    return tuple(f"{test}[{name}]" for name in names)


PROOFS: dict[str, tuple[str, ...]] = {
    "p:none": paged("none"),
    "p:page": paged("page", "page_zero", "page_pages", "page_total", "page_more"),
    "p:offset": paged("offset", "offset_one", "offset_total", "offset_more", "offset_by_page_size"),
    "p:token-in-body": paged("token", "token_more", "token_start"),
    "p:next-url-in-body": paged("next_url", "next_url_relative", "next_url_keep"),
    "p:last-record-id": paged("last_record", "last_record_more"),
    "p:link-header": paged("link_header", "link_header_rel", "link_header_lines"),
    "p:token-cut-out-of-next-url": paged("token_from_url", "token_from_link"),
    "inject:body": paged("token_to_json", "token_to_form", "offset_to_json"),
    "inject:header": paged("token_to_header"),
    "POST": paged("token_to_json", "token_to_form", "offset_to_json", "graphql"),
    "record-path-wildcard": paged("wildcard"),
    "a:none": paged("token"),
    "a:bearer": keyed("bearer"),
    "a:header-key:authorization": keyed("prefix", "bare"),
    "a:header-key:custom": keyed("custom"),
    "a:basic": sent("basic"),
    "a:basic-token-as-user": sent("basic with a token as user", "basic with a password alone"),
    "a:key-in-query": ("tests/pull/test_keys.py::test_a_key_in_the_query_is_on_every_request",),
    "a:key-in-body_data": ("tests/pull/test_keys.py::test_a_key_in_the_body_is_on_every_request",),
    "a:login-for-session-token": (
        "tests/pull/test_sessions.py::test_a_list_behind_a_login_is_pulled_whole",
        "tests/pull/test_login_judges.py::test_a_server_of_others_lets_in_who_has_signed_in",
    ),
    # A login with a user and a password, whose token goes into a header of its own.
    "a:other:LegacySessionTokenAuthenticator": (
        "tests/pull/test_sessions.py::test_a_list_behind_a_login_is_pulled_whole[at-None]",
        "tests/pull/test_sessions.py::test_a_list_behind_a_login_is_pulled_whole[at-expires]",
    ),
    "a:oauth-client-credentials": (
        "tests/pull/test_oauth.py::test_a_secret_with_any_characters_is_sent_as_the_definition_says",
        "tests/pull/test_oauth_grants.py::test_a_list_is_pulled_by_every_grant",
        "tests/pull/test_oauth_judge.py::test_a_list_is_pulled_with_bound_tokens",
    ),
    "i:client-side": (
        "tests/pull/test_increments.py::test_an_api_without_a_filter_is_read_and_only_what_changed_is_kept",
    ),
    "i:window": (
        "tests/pull/test_increments.py::test_windows_side_by_side_have_all_of_a_period",
        "tests/pull/test_increments.py::test_a_window_with_too_many_records_is_halved_and_nothing_comes_twice",
        "tests/pull/test_increments.py::test_windows_that_are_stopped_anywhere_go_on_where_they_stood",
    ),
    "a:oauth-refresh-token": ("tests/pull/test_refresh_tokens.py::test_a_token_that_does_not_rotate_is_kept",),
    "a:oauth-refresh-token-rotating": (
        "tests/pull/test_refresh_tokens.py::test_a_token_that_rotates_is_used_once_and_the_next_one_from_then_on",
        "tests/pull/test_refresh_tokens.py::test_processes_at_once_do_not_use_one_token_twice",
        "tests/pull/test_refresh_tokens.py::test_a_token_that_ends_while_pages_are_read_is_renewed_and_rotated",
    ),
    "i:datetime": (
        "tests/pull/test_increments.py::test_every_version_that_was_shown_is_there_once",
        "tests/pull/test_pull.py::test_a_second_pull_asks_only_for_what_changed",
        "tests/pull/test_protocol.py::test_what_comes_again_is_left_out_and_what_changed_is_not",
    ),
    "parent-child": (
        "tests/pull/test_children.py::test_children_alone_list_their_parents_themselves",
        "tests/pull/test_children.py::test_group_members_are_requested_again_only_where_they_changed",
        "tests/pull/test_lineage.py::test_children_of_any_depth_are_pulled_with_all_that_leads_to_them",
        "tests/pull/test_lineage.py::test_every_version_of_a_child_is_there_once_over_many_pulls",
    ),
    "list-partition": (
        "tests/pull/test_inventory.py::test_an_unavailable_type_of_policies_is_counted",
        "tests/pull/test_lineage.py::test_values_of_parents_lead_to_their_children",
    ),
    "async-job": (
        "tests/pull/test_jobs.py::test_a_job_is_submitted_waited_for_and_read_in_parts",
        "tests/pull/test_jobs.py::test_a_job_is_gone_on_with_wherever_a_run_was_stopped",
    ),
    "cartesian-partitions": (
        "tests/pull/test_lineage.py::test_a_product_of_parents_and_values_is_requested_once_each",
        "tests/pull/test_lineage.py::test_values_of_several_lists_are_requested_each_with_each",
        "tests/pull/test_lineage.py::test_a_parent_that_comes_new_is_read_from_its_beginning",
    ),
}
"""Needs that a definition can express, each with the tests that prove it."""

NOT_YET: dict[str, str] = {
    "p:computed-number": "numbers of pages that are computed",
    "dec:jsonl/gzip/zip": "zip archives",
    "dec:xml": "XML",
    "job-files-elsewhere": "files of a job on another origin",
    OWN_CODE: "code of one's own",
}
"""Needs that it cannot express yet, in words."""

HOOKED = "tests/pull/test_hooks.py::test_pages_that_pass_through_hooks_are_pulled_whole"
SIGNED = "tests/pull/test_hooks.py::test_requests_that_a_hook_signs_are_let_in_by_the_clock_of_the_server"
BY_HOOKS: dict[str, tuple[str, ...]] = {
    "dec:xml": (
        *(f"{HOOKED}[xml-{paginator}]" for paginator in ("page", "hook")),
        "tests/pull/test_hooks_guide.py::test_the_example_of_xml_runs",
    ),
    "dec:jsonl/gzip/zip": (
        *(f"{HOOKED}[{name}-{paginator}]" for name in ("zip", "both") for paginator in ("page", "hook")),
        "tests/pull/test_hooks_guide.py::test_the_example_of_archives_runs",
    ),
    "p:computed-number": ("tests/pull/test_hooks.py::test_a_hook_says_the_next_request_in_any_part_of_it",),
    "code:records": (HOOKED, "tests/pull/test_hooks.py::test_records_that_are_dicts_keep_what_json_can_hold"),
    "code:paginator": (
        "tests/pull/test_hooks.py::test_a_hook_says_the_next_request_in_any_part_of_it",
        "tests/pull/test_hooks.py::test_a_list_through_hooks_that_is_stopped_at_every_page_is_pulled_whole",
    ),
    "code:signature": (SIGNED, "tests/pull/test_hooks_guide.py::test_the_example_of_signatures_runs"),
    # Without a hook: by `session` and `oauth2`, several ways in `auth`, details, a parameter that is always the same,
    # two endpoints of which one takes the values of a setting and one those of a list, and `incremental` with a parent.
    "code:login": (*PROOFS["a:login-for-session-token"], *PROOFS["a:oauth-client-credentials"]),
    "code:choice": PROOFS["a:bearer"],
    "code:lookups": (
        "tests/pull/test_details.py::test_details_are_requested_one_by_one",
        "tests/pull/test_details.py::test_details_are_requested_in_batches_that_fill_over_pages",
    ),
    "code:constant": paged("graphql"),
    "code:setting-or-list": (*PROOFS["list-partition"], *PROOFS["parent-child"]),
    "code:bound": (
        "tests/pull/test_lineage.py::test_every_version_of_a_child_is_there_once_over_many_pulls",
        "tests/pull/test_increments.py::test_a_number_in_a_body_is_sent_as_a_number",
    ),
}
"""Needs that a definition with hooks can express, each with the tests that prove it; `code:` is what code does."""

NOT_BY_HOOKS: dict[str, str] = {
    "code:router": "partitions of other kinds",
    "code:requester": "requests that are written in another way",
    "code:waits": "how long to wait",
    "code:by-ids": "increments by id",
    "code:state": "state in other places of a request",
    "code:login-by-query": "logins with a secret in the address",
    "code:login-fallback": "a second token where the first is refused",
    "code:unread": "what was not read",
    "job-files-elsewhere": "files of a job on another origin",
}
"""What code of one's own does that hooks do not, in words."""


BESIDES = {"sendgrid": {"job-files-elsewhere"}}
"""Needs that the list does not have."""


@dataclass(frozen=True)
class Coverage:
    """How many connectors are covered, of how many."""

    covered: int
    count: int

    def __str__(self) -> str:
        """Return both, and the share."""
        return f"{self.covered} of {self.count} ({100 * self.covered / self.count:.1f} %)"


def connectors() -> dict[str, set[str]]:
    """Return what each connector needs: the list of needs, and what is known besides."""
    with NEEDS.open(newline="") as lines:
        listed = {row["connector"]: set(row["needs"].split()) for row in csv.DictReader(lines)}
    return {name: needs | BESIDES.get(name, set()) for name, needs in listed.items()}


def connectors_with_code() -> dict[str, set[str]]:
    """Return what each connector needs, with what its code does in the place of the code."""
    with CODE.open(newline="") as lines:
        code = {row["connector"]: {f"code:{kind}" for kind in row["code"].split()} for row in csv.DictReader(lines)}
    needs = connectors()
    assert code.keys() == {name for name, each in needs.items() if OWN_CODE in each}
    return {name: each - {OWN_CODE} | code.get(name, set()) for name, each in needs.items()}


def coverage(needs: dict[str, set[str]], proved: set[str]) -> tuple[Coverage, Coverage]:
    """Return the coverage of all connectors, and of those without code of their own."""
    covered = sum(each <= proved for each in needs.values())
    return Coverage(covered, len(needs)), Coverage(covered, sum(OWN_CODE not in each for each in needs.values()))


def passed(tests: set[str], folder: Path = ROOT) -> set[str]:
    """Run those of the tests that there are, and return which passed; of one with several cases, all have to."""
    files = sorted({test.partition("::")[0] for test in tests})
    collected = pytest_in(folder, "--collect-only", *files).stdout.split("\n")
    there = tests & {name for line in collected for name in (line, line.partition("[")[0])}
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.xml")
        pytest_in(folder, f"--junit-xml={report}", "-o", "junit_family=xunit1", *sorted(there))
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - written by our own run
    results: dict[str, list[bool]] = {}
    for case in cases:
        name = f"{case.get('file')}::{case.get('name')}"
        good = all(case.find(what) is None for what in ("failure", "error", "skipped"))
        for test in {name, name.partition("[")[0]}:
            results.setdefault(test, []).append(good)
    return {test for test in tests if all(results.get(test, [False]))}


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def proved() -> set[str]:
    """Return the needs whose tests all pass."""
    all_proofs = [*PROOFS.items(), *BY_HOOKS.items()]
    good = passed({test for _, proofs in all_proofs for test in proofs})
    return {need for need, proofs in all_proofs if proofs and set(proofs) <= good}


def test_every_need_is_proved_or_named_as_missing() -> None:
    needed = set().union(*connectors().values())
    assert PROOFS.keys() | NOT_YET.keys() == needed
    assert PROOFS.keys() & NOT_YET.keys() == set()


def test_what_code_does_is_proved_with_hooks_or_named_as_missing() -> None:
    needed = set().union(*connectors_with_code().values())
    assert needed - PROOFS.keys() - NOT_YET.keys() <= BY_HOOKS.keys() | NOT_BY_HOOKS.keys()
    assert BY_HOOKS.keys() & (PROOFS.keys() | NOT_BY_HOOKS.keys()) == set()
    assert {need for need in BY_HOOKS if not need.startswith("code:")} <= NOT_YET.keys()


@pytest.mark.xdist_group("coverage")
def test_what_is_claimed_is_proved(proved: set[str]) -> None:
    assert PROOFS.keys() | BY_HOOKS.keys() == proved


@pytest.mark.xdist_group("coverage")
def test_the_guide_has_the_figures_that_are_computed(proved: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    needs = connectors()
    without_hooks = proved & PROOFS.keys()
    everything, without_code = coverage(needs, without_hooks)
    missing = Counter(need for each in needs.values() if OWN_CODE not in each for need in each - without_hooks)
    with_code = connectors_with_code()
    with_hooks, _ = coverage(with_code, proved)
    still_missing = Counter(need for each in with_code.values() for need in each - proved)
    with capsys.disabled():
        sys.stdout.write(f"\ncovered: {everything} of all connectors, {without_code} of those without code\n")
        sys.stdout.write(f"missing: {', '.join(f'{need} {count}' for need, count in missing.most_common())}\n")
        sys.stdout.write(f"with hooks: {with_hooks} of all connectors\n")
        sys.stdout.write(f"missing: {', '.join(f'{need} {count}' for need, count in still_missing.most_common())}\n")
    guide = re.sub(r"\s+", " ", GUIDE.read_text())
    assert f"With hooks it is {with_hooks}" in guide
    for need, what in NOT_BY_HOOKS.items():
        assert f"{what} ({still_missing[need]}" in guide, f"{what} ({still_missing[need]})"
    assert f"{everything} of the connectors, {without_code} of those without code of their own" in guide


def test_a_proof_that_fails_or_is_not_there_takes_its_need_away(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert False\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_half(n): assert n == 1\n"
    )
    tests = {f"test_planted.py::test_{name}" for name in ("good", "bad", "skipped", "half", "half[1]", "missing")}
    assert passed(tests, tmp_path) == {"test_planted.py::test_good", "test_planted.py::test_half[1]"}
    needs = {"a": {"x"}, "b": {"x", "y"}, "c": {"x", OWN_CODE}}
    assert coverage(needs, {"x"}) == (Coverage(1, 3), Coverage(1, 2))
