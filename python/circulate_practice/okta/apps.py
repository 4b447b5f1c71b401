"""The apps of the practice org, and their records byte by byte."""

import hashlib
from typing import ClassVar, Final, NamedTuple

from circulate_practice.data.fragments import ORG_URL, Extras, rearrangements
from circulate_practice.data.ids import APP, Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.paging.collection import Clock, TruthEntry
from circulate_practice.paging.editable import Editable
from circulate_practice.paging.filters import Attribute, Match, id_in, name_in
from circulate_practice.paging.pages import PageCache

NAME: Final = "apps"
STATUSES: Final = ("ACTIVE", "INACTIVE")
"""The statuses an app can be listed with; Okta's third one, DELETED, is what a list never shows."""

_STATUS_OF_BYTE: Final = bytes([1] * 24 + [0] * 232)
_VPN: Final = b'"notifications":{"vpn":{"network":{"connection":"DISABLED"}}}'
_TEMPLATE: Final = b'"userNameTemplate":{"template":"${source.login}","type":"BUILT_IN"}'


class _Kind(NamedTuple):
    """What apps of one make have in common; `<id>` stands for the id of the app."""

    name: str
    label: bytes
    mode: bytes
    features: bytes
    credentials: bytes
    settings: bytes


def _saml(name: str, label: str, features: bytes) -> _Kind:
    settings = (
        b'{"app":{"instanceType":"PRODUCTION","subDomain":"acme"},%b,"signOn":{"defaultRelayState":"",'
        b'"ssoAcsUrl":"https:\\/\\/sso.example.com\\/<id>\\/acs","audience":"https://sso.example.com/<id>",'
        b'"subjectNameIdTemplate":"${user.userName}",'
        b'"subjectNameIdFormat":"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress","responseSigned":true,'
        b'"assertionSigned":true,"signatureAlgorithm":"RSA_SHA256","digestAlgorithm":"SHA256","honorForceAuthn":true,'
        b'"requestCompressed":false,"allowMultipleAcsEndpoints":false,"acsEndpoints":[],"attributeStatements":[]}}'
    ) % _VPN
    return _Kind(name, label.encode(), b"SAML_2_0", features, b'{%b,"signing":{"kid":"<id>"}}' % _TEMPLATE, settings)


_KINDS: Final = (
    _saml("salesforce", "Salesforce", b'["PUSH_NEW_USERS","PUSH_USER_DEACTIVATION","IMPORT_USER_SCHEMA"]'),
    _saml("amazon_aws", "Amazon Web Services — Zürich", b"[]"),
    _saml("slack", r"Slack \/ \"Acme\"", b'["GROUP_PUSH","PUSH_NEW_USERS","PUSH_PROFILE_UPDATES"]'),
    _Kind(
        "oidc_client",
        rb"R\u0026D Console",
        b"OPENID_CONNECT",
        b"[]",
        b'{"oauthClient":{"autoKeyRotation":true,"client_id":"<id>","pkce_required":true,'
        b'"token_endpoint_auth_method":"client_secret_basic"},%b}' % _TEMPLATE,
        b'{%b,"oauthClient":{"redirect_uris":["https://console.example.com/<id>/callback"],'
        b'"response_types":["code"],"grant_types":["authorization_code","refresh_token"],"application_type":"web",'
        b'"consent_method":"REQUIRED","issuer_mode":"DYNAMIC"}}' % _VPN,
    ),
    _Kind(
        "bookmark",
        "社内ポータル".encode(),
        b"BOOKMARK",
        b"[]",
        b"{%b}" % _TEMPLATE,
        b'{"app":{"requestIntegration":false,"url":"https://portal.example.com/?app=<id>"},%b}' % _VPN,
    ),
    _Kind(
        "template_swa",
        b"Payroll \\u2013 legacy",
        b"BROWSER_PLUGIN",
        b"[]",
        b'{"scheme":"EDIT_USERNAME_AND_PASSWORD",%b,"revealPassword":false}' % _TEMPLATE,
        b'{"app":{"url":"https://payroll.example.com/<id>","buttonField":"btn-login","passwordField":"txtbox-password",'
        b'"usernameField":"txtbox-username"},%b}' % _VPN,
    ),
    _Kind(
        "practiceorg_wiki_1",
        b"Wiki",
        b"AUTO_LOGIN",
        b"[]",
        b'{"scheme":"EDIT_USERNAME_AND_PASSWORD",%b,"revealPassword":true}' % _TEMPLATE,
        b'{%b,"signOn":{"loginUrl":"https://wiki.example.com/login?client=<id>","redirectUrl":"https://wiki.example.com/"}}'
        % _VPN,
    ),
)
_NAMES: Final = tuple(kind.name for kind in _KINDS)


class Apps(Editable):
    """All apps of one org. They take no filter of time, as Okta's do not.

    Args:
        count: How many there are at the start.
        seed: Number everything follows from.
        clock: Source of the time of changes.
        edge_cases: Whether profiles carry the attributes of `EDGE_CASES`.
        cache: Where rendered pages are kept.
    """

    _ORDERS = rearrangements(15)
    _NAMED: ClassVar[tuple[str, ...]] = ("label",)

    def __init__(self, count: int, seed: int, clock: Clock, *, edge_cases: bool, cache: PageCache) -> None:
        super().__init__(NAME, "AppInstance", count, Ids(seed, APP), seed, clock=clock, cache=cache)
        self._key = b"app:%d" % seed
        self._extras = Extras(self._key, edge_cases=edge_cases)
        self._status = self._start.choices(count, _STATUS_OF_BYTE)

    def status(self, index: int) -> str:
        """Return the status of an app."""
        return STATUSES[self._status[index]]

    def set_status(self, index: int, status: str) -> None:
        """Give an app another status, which moves its `lastUpdated`."""
        with self._lock:
            self._status[index] = STATUSES.index(status)
            self.edit(index, {})

    def _append(self, now: int) -> int:
        self._status.append(STATUSES.index("ACTIVE"))
        return super()._append(now)

    def _attributes(self) -> dict[str, Attribute]:
        return {"status": name_in(self._status, STATUSES), "id": id_in(self._ids), "name": self._name_attribute}

    def _name_attribute(self, comparison: str, value: str) -> Match | None:
        if comparison != "eq":
            return None
        return lambda index: self._kind_of(self._noise(index)).name == value

    def _truth_at(self, index: int) -> TruthEntry:
        return {**super()._truth_at(index), "status": STATUSES[self._status[index]]}

    def _noise(self, index: int) -> bytes:
        return hashlib.blake2b(b"%d" % index, key=self._key, digest_size=8).digest()

    @staticmethod
    def _kind_of(noise: bytes) -> _Kind:
        return _KINDS[noise[0] % len(_KINDS)]

    def _body(self, index: int) -> bytes:
        noise, app_id, version = self._noise(index), self._ids.id_of(index), self._version[index]
        kind = self._kind_of(noise)
        name, status = kind.name.encode(), STATUSES[self._status[index]].encode()
        here = b"%b/api/v1/apps/%b" % (ORG_URL, app_id)
        members = (
            b'"id":"%b"' % app_id,
            b'"orn":"orn:okta:idp:00oPracticeOrg:apps:%b:%b"' % (name, app_id),
            b'"name":"%b"' % name,
            b'"label":"%b %d%b"' % (kind.label, index, b" (renamed %d)" % version if version else b""),
            b'"status":"%b"' % status,
            b'"lastUpdated":"%b"' % timestamp(self._updated[index]),
            b'"created":"%b"' % timestamp(self.created(index)),
            b'"accessibility":{"selfService":%b}' % (b"false", b"true")[noise[1] & 1],
            b'"visibility":{"autoLaunch":false,"autoSubmitToolbar":%b,"hide":{"iOS":false,"web":%b},'
            b'"appLinks":{"%b_link":true}}'
            % ((b"false", b"true")[noise[2] & 1], (b"false", b"true")[noise[3] & 1], name),
            b'"features":' + kind.features,
            b'"signOnMode":"%b"' % kind.mode,
            b'"credentials":' + kind.credentials.replace(b"<id>", app_id),
            b'"settings":' + kind.settings.replace(b"<id>", app_id),
            b'"profile":{%b}' % self._extras.of(index, noise[4]),
            b'"_links":{"self":{"href":"%b"},"users":{"href":"%b/users"},"groups":{"href":"%b/groups"},'
            b'"appLinks":[{"name":"%b_link","href":"%b/home/%b/%b/1","type":"text/html"}]}'
            % (here, here, here, name, ORG_URL, name, app_id),
        )
        return b"{%b}" % b",".join(self._ORDERS[noise[5] & 7](members))
