"""Signatures of requests, as a server receives them, are those of the vendors' own libraries for the same requests."""

import datetime as dt
import email.utils
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore import auth as botocore_auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from duo_client import client as duo  # type: ignore[import-untyped]
from support.http_server import Reply
from support.places import client
from support.signed import RECORDS, Sent, assert_whole, reveals, settings_of, signed_api

import circulate_core
from circulate_core.exceptions import AuthError, SettingsError

IKEY, SKEY = "DIABCDEFGHIJ", "s3cret-k€y/of+duo"
AKID, SECRET, TOKEN, REGION = "AKIDEXAMPLE", "wJalr/s3cret+of=aws", "t0ken/of+sts==", "eu-west-1"
DUO = ({"duo_v5": {"integration_key": "open_ikey", "secret_key": "skey"}}, {"open_ikey": IKEY, "skey": SKEY})

LISTS: dict[str, dict[str, Any]] = {
    "a list of pages": {},
    "special characters in the path": {"path": "/items/it ems/ü{{}}/a+b/(c)/d:e@f/%41%2F/~x_y-z.'!*;=,$&/"},
    "a path of many slashes": {"path": "/items//a///b"},
    "a query of all kinds": {
        "query": {
            "a": ["2", "1", "", "é"],
            "empty": "",
            "space": "x y",
            "plus": "1+1=2&3",
            "Z[]": "~._-*'()!",
            "ü": "🦀",
            "a b": "/?:@",
            "A": "upper",
        }
    },
    "spaces as %20": {"query": {"q": 'name eq "a b"'}, "encode": "percent"},
    "a JSON body": {"body": {"json": {"text": "é\n🦀", "list": [1, 2.5, None, True], "none": {}}}, "query": {"b": "1"}},
    "an empty JSON body": {"body": {"json": {}}},
    "a form": {"body": {"form": {"a": "1 2", "é": "ß&="}}},
    "headers of the vendor": {"headers": {"X-Duo-Zone": "b  c", "x-duo-Alpha": "a", "Accept": "*/*"}},
}


def duo_signature(sent: Sent) -> str:
    """Return the header that Duo's client sends with a request."""
    url = urlsplit(sent.path)
    named = {name: value for name, value in sent.headers.items() if name.startswith("x-duo-")}
    signed: str = duo.sign(
        IKEY,
        SKEY,
        sent.method,
        "127.0.0.1",
        url.path,
        sent.headers["date"],
        5,
        duo.normalize_params(sent.query),
        body=sent.body.decode(),
        additional_headers=named,
    )
    return signed


@pytest.mark.parametrize("name", LISTS)
def test_requests_are_signed_as_duos_own_client_signs_them(name: str, tmp_path: Path) -> None:
    way, given = DUO
    with signed_api(lambda sent: sent.headers["authorization"] == duo_signature(sent)) as api:
        report = api.pull(tmp_path, [way], given, **LISTS[name])
        assert_whole(report, tmp_path)
        assert len(api.requests) == 3
        assert all(email.utils.parsedate_to_datetime(sent.headers["date"]) for sent in api.requests)
    assert reveals(tmp_path, SKEY) == []


def aws_signature(url: str, sent: Sent, service: str) -> str:
    """Return the header that botocore sends with a request."""
    named = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: sent.headers[name] for name in named if name != "x-amz-security-token"}
    if "x-amz-security-token" in sent.headers:
        headers["X-Amz-Security-Token"] = sent.headers["x-amz-security-token"]
    request = AWSRequest(method=sent.method, url=url + sent.path, headers=headers, data=sent.body)
    request.context["timestamp"] = sent.headers["x-amz-date"]
    kind = botocore_auth.S3SigV4Auth if service == "s3" else botocore_auth.SigV4Auth
    signer = kind(Credentials(AKID, SECRET, sent.headers.get("x-amz-security-token")), service, REGION)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    scope = signer.scope(request)
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={signature}"


AWS = {"access_key_id": "open_id", "secret_access_key": "key", "session_token": "token", "region": "{open_region}"}


@pytest.mark.parametrize("service", ["execute-api", "s3"])
@pytest.mark.parametrize("name", LISTS)
def test_requests_are_signed_as_botocore_signs_them(name: str, service: str, tmp_path: Path) -> None:
    given = {"open_id": AKID, "key": SECRET, "open_region": REGION}
    if name == "a list of pages":
        given["token"] = TOKEN
    way = {"aws_sigv4": {**AWS, "service": service}}
    if "token" not in given:
        del way["aws_sigv4"]["session_token"]
    with signed_api(lambda sent: sent.headers["authorization"] == aws_signature(api.url, sent, service)) as api:
        assert_whole(api.pull(tmp_path, [way], given, **LISTS[name]), tmp_path)
        assert len(api.requests) == 3
        assert all(sent.headers.get("x-amz-security-token") == given.get("token") for sent in api.requests)
        digests = [hashlib.sha256(sent.body).hexdigest() if service == "s3" else None for sent in api.requests]
        assert [sent.headers.get("x-amz-content-sha256") for sent in api.requests] == digests
        assert all("+" not in urlsplit(sent.path).query for sent in api.requests)
    assert reveals(tmp_path, SECRET) == []


def signed_at(sent: Sent) -> dt.datetime:
    """Return the time that a request says."""
    if "x-amz-date" in sent.headers:
        return dt.datetime.strptime(f"{sent.headers['x-amz-date']}+0000", "%Y%m%dT%H%M%SZ%z")
    return email.utils.parsedate_to_datetime(sent.headers["date"]).replace(tzinfo=dt.UTC)


WAYS: dict[str, tuple[Any, dict[str, str], int]] = {
    "duo": (*DUO, 401),
    "aws": (
        {"aws_sigv4": {**AWS, "session_token": "token", "region": REGION, "service": "execute-api"}},
        {"open_id": AKID, "key": SECRET, "token": TOKEN},
        403,
    ),
}


@pytest.mark.parametrize("minutes", [-10, 10])
@pytest.mark.parametrize("name", WAYS)
def test_a_server_whose_clock_is_off_is_asked_once_more_by_its_own_time(
    name: str, minutes: int, tmp_path: Path
) -> None:
    """It refuses what was not signed within a minute of its time, and says what time that is."""
    way, given, status = WAYS[name]
    ahead = dt.timedelta(minutes=minutes)
    refused = 0

    def respond(sent: Sent) -> Reply:
        nonlocal refused
        now = dt.datetime.now(dt.UTC) + ahead
        dated = [("Date", email.utils.format_datetime(now, usegmt=True))]
        if abs(signed_at(sent) - now) > dt.timedelta(minutes=1):
            refused += 1
            return Reply({"message": "Bad request timestamp"}, dated, status, date=False)
        start = int(sent.query.get("start", ["0"])[0])
        following = f"/items?start={start + 2}" if start < 4 else None
        return Reply({"items": RECORDS[start : start + 2], "next": following}, dated, date=False)

    with signed_api(lambda _: True, respond) as api:
        assert_whole(api.pull(tmp_path, [way], given), tmp_path)
        assert (refused, len(api.requests)) == (1, 4)


@pytest.mark.parametrize("name", WAYS)
def test_each_attempt_is_signed_anew_and_a_wrong_key_is_said_once(name: str, tmp_path: Path) -> None:
    way, given, status = WAYS[name]
    troubles = [503, 503]

    def respond(_: Sent) -> Reply | None:
        return Reply({}, status=troubles.pop()) if troubles else None

    def lets_in(sent: Sent) -> bool:
        expected = duo_signature(sent) if name == "duo" else aws_signature(api.url, sent, "execute-api")
        return sent.headers["authorization"] == expected

    with signed_api(lets_in, respond) as api:
        assert_whole(api.pull(tmp_path, [way], given), tmp_path)
        assert len(api.requests) == 5
        with pytest.raises(AuthError) as refused:
            api.pull(tmp_path, [way], given | {key: "wr0ng-canary" for key in given if not key.startswith("open")})
        assert len(api.requests) == 6
    assert status in {401, 403}
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", WAYS)
def test_a_signing_key_that_is_rotated_is_read_again(
    name: str, tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose id stays the same, which only its signature shows."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    way, given, _ = WAYS[name]
    secret = "skey" if name == "duo" else "key"
    stored, secrets = f"signed-{tmp_path.name}", client("secretsmanager", aws)
    secrets.create_secret(Name=stored, SecretString=json.dumps(given | {secret: "01d-canary"}))
    wrong = True

    def lets_in(sent: Sent) -> bool:
        nonlocal wrong
        if wrong:
            wrong = False
            secrets.put_secret_value(SecretId=stored, SecretString=json.dumps(given))
        expected = duo_signature(sent) if name == "duo" else aws_signature(api.url, sent, "execute-api")
        return sent.headers["authorization"] == expected

    with signed_api(lets_in) as api:
        report = circulate_core.pull(
            "acme.items",
            to=tmp_path,
            settings={"url": api.url},
            secret=stored,
            account="acme",
            catalog=[api.definition([way], settings_of(given))],
        )
        assert_whole(report, tmp_path)
        assert len(api.requests) == 4


@pytest.mark.parametrize(
    ("way", "given", "why"),
    [
        (DUO[0], {"open_ikey": "DI:1", "skey": SKEY}, "`open_ikey` is not an integration key"),
        (
            {"aws_sigv4": {**AWS, "service": "execute-api"}},
            {"open_id": AKID, "key": SECRET, "token": "a\nb", "open_region": REGION},
            "cannot be signed for AWS",
        ),
        (
            {"aws_sigv4": {**AWS, "service": "execute-api"}},
            {"open_id": AKID, "key": SECRET, "token": TOKEN, "open_region": "eu west"},
            "`eu west` is not a region of AWS",
        ),
    ],
)
def test_what_can_not_be_signed_with_is_refused_before_any_request(
    way: dict[str, Any], given: dict[str, str], why: str, tmp_path: Path
) -> None:
    with signed_api(lambda _: True) as api:
        with pytest.raises((SettingsError, AuthError), match=why):
            api.pull(tmp_path, [way], given)
        assert api.requests == []
