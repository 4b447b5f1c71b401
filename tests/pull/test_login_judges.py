"""Ways to sign in are judged by Django and Django REST framework, which let in whom they know."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import judges
from support.judges import Judge
from support.paging_pulls import written

import circulate_core
from circulate_core.exceptions import CirculateError

if TYPE_CHECKING:
    from circulate_core.types import InlineDefinition

USER, PASSWORD = "ada@example.com", "s3cret-p@ss: wörd&+"
FORM = {"username": "{user}", "password": "{password}"}
WAYS: dict[str, dict[str, Any]] = {
    "basic": {"basic": {"user": "user", "password": "password"}},
    "token": {
        "session": {
            "login": {"path": "/get-token/", "body": {"json": FORM}},
            "token": {"body": "/token"},
            "send": {"header": {"name": "Authorization", "prefix": "Token "}},
        }
    },
    # As people do: the page gives a token against forgery, and the form a cookie that leads on to another page.
    "session": {
        "session": {
            "login": {"method": "GET", "path": "/login/", "token": {"cookie": "csrftoken"}},
            "exchange": {
                "path": "/login/",
                "headers": {"Cookie": "csrftoken={token}"},
                "body": {"form": {**FORM, "csrfmiddlewaretoken": "{token}"}},
            },
            "token": {"cookie": "sessionid"},
            "send": {"cookie": "sessionid"},
            "logout": {"method": "POST", "path": "/logout/"},
        }
    },
}


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Start the server."""
    with judges.django_accounts(tmp_path_factory.mktemp("django"), USER, PASSWORD) as judge:
        yield judge


def pull(judge: Judge, name: str, to: Path, password: str) -> circulate_core.Report:
    """Pull the list behind a way to sign in."""
    definition: InlineDefinition = {
        "source": {
            "source": "judge",
            "title": "Judge",
            "settings": {
                "base_url": {"env": "JUDGE_URL", "about": "its address"},
                "user": {"env": "JUDGE_USER", "about": "who it is"},
                "password": {"env": "JUDGE_PASSWORD", "about": "the password", "secret": True},
            },
            "base_url": "{base_url}",
            "auth": [WAYS[name]],
            "check": {"path": "/"},
        },
        "endpoints": {
            "items": {
                "about": "Items.",
                "scopes": [],
                "list": {
                    "path": f"/{name}/",
                    "records": "/results",
                    "primary_key": ["/id"],
                    "paginator": {"next_url": {"body": "/next"}},
                },
            }
        },
    }
    settings = {"base_url": judge.url, "user": USER, "password": password}
    return circulate_core.pull("judge.items", to=to, settings=settings, account="judge", catalog=[definition])


@pytest.mark.xdist_group("judges")
@pytest.mark.parametrize("name", WAYS)
def test_a_server_of_others_lets_in_who_has_signed_in(name: str, judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(CirculateError) as refused:
        pull(judge, name, tmp_path, "wr0ng-canary")
    assert "canary" not in str(refused.value)
    report = pull(judge, name, tmp_path, PASSWORD)
    assert (report.status, written(tmp_path, report)) == ("complete", judge.truth)
    assert report.pages == 5
