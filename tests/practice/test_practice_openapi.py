"""The practice org against Okta's own description of its API.

The description is looked for in the folder named by `CIRCULATE_OPENAPI_DIR`, else beside the repository; without it
these tests are skipped. Edge cases need no exception: the description allows any attribute in a user's profile
(`additionalProperties: true`), and all of ours are there.
"""

import re
from typing import Any
from urllib.parse import quote

import pytest
from support.okta_description import FILE, errors_of, reachable, read_description
from support.practice_client import LIST, Client, Serve

from circulate_practice import LISTS, OPERATIONS
from circulate_practice.okta.policies import TYPES
from circulate_practice.okta.routes import Paging
from circulate_practice.okta.users import STATUSES

pytest.importorskip("yaml", reason="PyYAML is not installed")
pytest.importorskip("openapi_schema_validator", reason="openapi-schema-validator is not installed")

EVERYONE = f"{LIST}?limit=200&filter=" + quote('lastUpdated ge "1970-01-01T00:00:00.000Z"')

pytestmark = pytest.mark.skipif(
    not FILE.exists(), reason=f"no {FILE.name} in {FILE.parent}; set CIRCULATE_OPENAPI_DIR to its folder"
)


RECORDS = (
    "Application",
    "AppUser",
    "ApplicationGroupAssignment",
    "Group",
    "LogEvent",
    "DeviceList",
    "Policy",
    "UserFactor",
    "StandardRole",
    "CustomRole",
    "RoleAssignedUsers",
    "ApiToken",
    "NetworkZone",
    "AuthorizationServer",
)
KINDS = {
    "apps": ("Application", "signOnMode"),
    "policies": ("Policy", "type"),
    "user_factors": ("UserFactor", "factorType"),
    "zones": ("NetworkZone", "type"),
}
"""Lists whose records are of several kinds, each described by a schema of its own, and the member that names it."""


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """Return Okta's description of its management API, parsed once."""
    return read_description()


@pytest.fixture(scope="module")
def check(description: dict[str, Any]) -> Any:  # noqa: ANN401 - a function; its library has no types
    """Return a function that lists where a value breaks the schema an operation declares for a status."""
    kinds = (ref.rpartition("/")[2] for name, _ in KINDS.values() for ref in discriminator(description, name).values())
    components = {"components": reachable(description, {"User", "Error", "UserGetSingleton", *RECORDS, *kinds})}

    return lambda schema, value: errors_of(schema | components, value)


def discriminator(description: dict[str, Any], name: str) -> dict[str, str]:
    """Return where the description has each kind of a schema."""
    mapping: dict[str, str] = description["components"]["schemas"][name]["discriminator"]["mapping"]
    return mapping


def declared(description: dict[str, Any], path: str, status: int) -> dict[str, Any]:
    """Return the schema of the JSON body of the response to `GET path` with `status`."""
    response = description["paths"][path]["get"]["responses"][str(status)]
    if "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


def parameters(description: dict[str, Any], path: str = LIST) -> dict[str, Any]:
    """Return the query parameters of a list by name."""
    listed = description["paths"][path]["get"].get("parameters", [])
    resolved = [
        description["components"]["parameters"][entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
        for entry in listed
    ]
    return {entry["name"]: entry for entry in resolved if entry["in"] == "query"}


PATHS = {
    "users": LIST,
    "apps": "/api/v1/apps",
    "app_users": "/api/v1/apps/{appId}/users",
    "app_groups": "/api/v1/apps/{appId}/groups",
    "groups": "/api/v1/groups",
    "group_members": "/api/v1/groups/{groupId}/users",
    "logs": "/api/v1/logs",
    "devices": "/api/v1/devices",
    "policies": "/api/v1/policies",
    "user_factors": "/api/v1/users/{userId}/factors",
    "user_roles": "/api/v1/users/{userId}/roles",
    "role_assignees": "/api/v1/iam/assignees/users",
    "api_tokens": "/api/v1/api-tokens",
    "zones": "/api/v1/zones",
    "authorization_servers": "/api/v1/authorizationServers",
}
"""Where the description has each list."""

SERVED = {
    "users": {"filter"},
    "apps": {"filter", "includeNonDeleted"},  # the second without effect: apps that are not deleted are always listed
    "groups": {"filter", "search", "q"},
    "logs": {"since", "until", "sortOrder"},
    "devices": {"search"},
    "policies": {"type"},
}
"""What each list takes besides what all take."""


@pytest.mark.parametrize("name", LISTS)
def test_every_parameter_okta_lists_is_served_or_refused(description: dict[str, Any], name: str) -> None:
    declared_here = parameters(description, PATHS[name])
    paging = set() if LISTS[name].paging is Paging.NONE else {"after", "limit"}
    assert declared_here.keys() - LISTS[name].not_served == paging | SERVED.get(name, set())
    if not paging:
        return
    limit = declared_here["limit"]["schema"]
    assert limit.get("default", -1) in {-1, LISTS[name].default}
    assert limit.get("maximum", LISTS[name].most) == LISTS[name].most
    assert limit.get("minimum", LISTS[name].least) == LISTS[name].least


def test_the_example_filters_of_the_description_are_understood(description: dict[str, Any], serve: Serve) -> None:
    _, client = serve(users=50)
    for name, example in parameters(description)["filter"]["examples"].items():
        if name in {"filterByStatus", "filterByDateRange", "filterByLogin"}:
            assert client.get(f"{LIST}?filter={quote(example['value'])}").status == 200


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_one_of_the_description_and_needs_the_scope_it_names(
    description: dict[str, Any], name: str
) -> None:
    operation = OPERATIONS[name]
    described = description["paths"][operation.path][operation.method.lower()]
    assert {"oauth2": [operation.scope]} in described["security"]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_needs_the_scope_that_the_description_names(description: dict[str, Any], name: str) -> None:
    security = description["paths"][PATHS[name]]["get"]["security"]
    assert {"oauth2": [LISTS[name].scope]} in security


def test_the_statuses_are_those_okta_has(description: dict[str, Any]) -> None:
    assert set(STATUSES) == set(description["components"]["schemas"]["UserStatus"]["enum"])


def test_a_list_response_fits_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    _, client = serve(users=600)
    schema = declared(description, LIST, 200)
    assert [error for page in client.pages(EVERYONE) for error in check(schema, page.json)] == []


@pytest.mark.parametrize("name", ["apps", "app_users", "app_groups", "groups", "group_members"])
def test_every_list_fits_the_description_and_every_change_of_it(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
    name: str,
) -> None:
    org, client = serve(users=80, apps=30, groups=30, app_users=40, app_groups=5, group_members=20)
    schema = declared(description, PATHS[name], 200)
    top = PATHS[name].split("/{")[0]
    for parent in client.get(top).json:
        org.rename(parent["id"])
        if name in {"app_users", "app_groups"}:
            org.change_children(name, parent["id"], add=3, update=3)
        target = re.sub(r"\{\w+\}", parent["id"], PATHS[name])
        assert [error for page in client.pages(target) for error in check(schema, page.json)] == []


SMALL = ("devices", "policies", "user_factors", "user_roles", "role_assignees", "api_tokens", "zones")


@pytest.mark.parametrize("name", [*SMALL, "authorization_servers"])
def test_every_smaller_list_fits_the_description_and_every_change_of_it(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
    name: str,
) -> None:
    org, client = serve(users=60, devices=60, policies=5, user_factors=4, role_assignees=60, zones=30, api_tokens=30)
    if name in KINDS or name in {"devices", "api_tokens", "authorization_servers"}:
        for entry in () if name == "user_factors" else list(org.truth(name)):
            org.rename(entry["id"])
    schema = declared(description, PATHS[name], 200)
    parents = client.get().ids if "{" in PATHS[name] else [""]
    targets = [re.sub(r"\{\w+\}", parent, PATHS[name]) for parent in parents]
    if name == "policies":
        targets = [f"{PATHS[name]}?type={kind}" for kind in TYPES]
    for parent in filter(None, parents):
        org.change_children(name, parent, add=1, update=2)
    pages = [page.json for target in targets for page in client.pages(target)]
    assert any(pages)
    assert [error for page in pages for error in check(schema, page)] == []


@pytest.mark.parametrize("name", KINDS)
def test_every_record_fits_what_its_kind_declares(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
    name: str,
) -> None:
    _, client = serve(apps=100, users=30, user_factors=4)
    schema, member = KINDS[name]
    kinds = discriminator(description, schema)
    targets = {
        "policies": [f"{PATHS[name]}?type={kind}" for kind in TYPES],
        "user_factors": [f"/api/v1/users/{user}/factors" for user in client.get().ids],
    }
    listed = targets.get(name, [PATHS[name]])
    records = [record for target in listed for page in client.pages(target) for record in page.json]
    assert len({record[member] for record in records}) >= 3
    assert [error for record in records for error in check({"$ref": kinds[record[member]]}, record)] == []
    if name == "policies":
        assert {record["type"] for record in records} == set(description["components"]["schemas"]["PolicyType"]["enum"])


def test_events_fit_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    _, client = serve(events=500)
    page = client.get("/api/v1/logs?limit=1000")
    assert len(page.json) == 500
    assert check(declared(description, "/api/v1/logs", 200), page.json) == []


def test_a_refused_query_of_events_fits_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    _, client = serve()
    refused = client.get("/api/v1/logs?since=2020-01-01T00:00:00.000Z")
    assert refused.status == 400
    assert check(declared(description, "/api/v1/logs", 400), refused.json) == []


@pytest.mark.parametrize("name", [name for name in PATHS if name != "users"])
def test_errors_of_every_list_fit_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
    name: str,
) -> None:
    org, client = serve(apps=1, groups=1, faults=[f"{name}/403@1", f"{name}/429@1"])
    path = PATHS[name]
    parent = "" if "{" not in path else next(iter(org.truth(path.split("/")[3])))["id"]
    target = re.sub(r"\{\w+\}", parent, path) + "?type=PASSWORD" * (name == "policies")
    for status in (403, 429):
        assert check(declared(description, path, status), client.get(target).json) == []
    if parent:
        missing = client.get(target.replace(parent, parent[:3] + "1"))
        assert missing.status == 404
        assert check(declared(description, path, 404), missing.json) == []


def test_a_changed_user_fits_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    org, client = serve(users=20)
    schema = declared(description, "/api/v1/users/{id}", 200)
    for user_id in org.change(20):
        assert check(schema, client.get(f"{LIST}/{user_id}").json) == []


def test_errors_fit_the_description(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    _, client = serve(users=5, faults=["403@1", "429@1"])
    for status in (403, 429):
        assert check(declared(description, LIST, status), client.get().json) == []
    missing = client.get(f"{LIST}/00u1")
    assert missing.status == 404
    assert check(declared(description, "/api/v1/users/{id}", 404), missing.json) == []


def other_errors(client: Client) -> list[tuple[int, dict[str, Any]]]:
    """Return status and body of some refused requests."""
    replies = [client.get(token="wrong"), client.get(f"{LIST}?limit=0"), client.get("/nowhere"), client.get()]
    return [(reply.status, reply.json) for reply in replies]


def test_errors_say_what_the_examples_of_the_description_say(
    description: dict[str, Any],
    check: Any,  # noqa: ANN401
    serve: Serve,
) -> None:
    examples = description["components"]["examples"].values()
    summaries = {
        (example["value"]["errorCode"], example["value"]["errorSummary"])
        for example in examples
        if isinstance(example.get("value"), dict) and "errorCode" in example["value"]
    }
    _, client = serve(users=5, faults=["500"])
    found = other_errors(client)
    assert [status for status, _ in found] == [401, 400, 404, 500]
    assert all(check({"$ref": "#/components/schemas/Error"}, body) == [] for _, body in found)
    assert all((body["errorCode"], body["errorSummary"]) in summaries for status, body in found if status in {401, 500})


def test_the_check_notices_what_does_not_fit(
    check: Any,  # noqa: ANN401
) -> None:
    assert check({"$ref": "#/components/schemas/User"}, {"id": 5, "status": "ASLEEP"})
