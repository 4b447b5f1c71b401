"""The record of one event of the system log, byte by byte."""

import hashlib
from typing import Final

from circulate_practice.data.fragments import Extras, rearrangements
from circulate_practice.data.ids import APP, USER, Ids
from circulate_practice.data.timestamps import timestamp
from circulate_practice.okta.users import UserWriter

_TYPES: Final = (
    (b"user.session.start", b"User login to Okta", b"INFO"),
    (b"user.authentication.sso", b"User single sign on to app", b"INFO"),
    (b"user.session.start", b'User login to Okta \\u2013 \\"remembered\\"', b"WARN"),
    (b"policy.evaluate_sign_on", b"Evaluation of sign-on policy", b"INFO"),
    (b"application.user_membership.add", b"Add user to application membership", b"INFO"),
    (b"group.user_membership.remove", b"Benutzer aus Gruppe entfernt", b"INFO"),
    (b"user.lifecycle.deactivate", b"Deactivate Okta user", b"INFO"),
    (b"system.api_token.create", b"Create API token", b"DEBUG"),
)
_OUTCOMES: Final = (
    b'{"result":"SUCCESS"}',
    b'{"result":"SUCCESS"}',
    b'{"result":"FAILURE","reason":"INVALID_CREDENTIALS"}',
    b'{"reason":"Sign-on policy evaluation resulted in CHALLENGE","result":"CHALLENGE"}',
)
_AGENTS: Final = (
    b'{"rawUserAgent":"Mozilla\\/5.0 (Macintosh; Intel Mac OS X 10_15_7)","os":"Mac OS X","browser":"CHROME"}',
    b'{"rawUserAgent":"curl/8.5.0","os":"Unknown","browser":"UNKNOWN"}',
)
_PLACES: Final = (
    b'{"city":"New York","country":"United States","postalCode":"10013","geolocation":{"lat":40.3157,"lon":-74.01}}',
    '{"city":"Zürich","country":"Switzerland","postalCode":"8001","geolocation":{"lat":47.0,"lon":8.50}}'.encode(),
)


class EventWriter:
    """Render the events of one org.

    Args:
        seed: Number the whole org follows from.
        users: How many users can be actors.
        edge_cases: Whether the debug data holds attributes of the kinds in `EDGE_CASES`.
    """

    _ORDERS = rearrangements(12)

    def __init__(self, seed: int, users: int, *, edge_cases: bool) -> None:
        self._key = b"event:%d" % seed
        self._user_ids, self._app_ids = Ids(seed, USER), Ids(seed, APP)
        self._people = UserWriter(seed, self._user_ids)
        self._users = max(1, users)
        self._extras = Extras(self._key, edge_cases=edge_cases)

    def uuid(self, number: int) -> bytes:
        """Return the `uuid` of event `number`."""
        return _uuid(self._noise(number))

    def record(self, number: int, published: int) -> bytes:
        """Return the record of event `number` as compact JSON, about 2 KB."""
        noise = self._noise(number)
        actor = int.from_bytes(noise[16:20], "big") % self._users
        person, actor_id = self._people.person(actor), self._user_ids.id_of(actor)
        kind, message, severity = _TYPES[noise[20] & 7]
        place, agent = _PLACES[noise[21] & 1], _AGENTS[noise[22] & 1]
        address, transaction = b"10.%d.%d.7" % (noise[23], noise[24]), noise[8:16].hex().encode()
        members = (
            b'"actor":{"id":"%b","type":"User","alternateId":"%b","displayName":"%b %b"}'
            % (actor_id, person.login, person.first, person.last),
            b'"client":{"userAgent":%b,"zone":"null","device":"Computer","ipAddress":"%b","geographicalContext":%b}'
            % (agent, address, place),
            b'"authenticationContext":{"authenticationStep":0,"externalSessionId":"idx%b"}' % transaction,
            b'"displayMessage":"%b","eventType":"%b"' % (message, kind),
            b'"outcome":' + _OUTCOMES[noise[25] & 3],
            b'"published":"%b"' % timestamp(published),
            b'"securityContext":{"asNumber":%d,"asOrg":"\\"net\\"","isp":"example","domain":null,"isProxy":false}'
            % (64512 + noise[26]),
            b'"severity":"%b","debugContext":{"debugData":{"requestUri":"\\/api\\/v1\\/authn",%b}}'
            % (severity, self._extras.of(number, noise[27])),
            b'"transaction":{"type":"WEB","id":"%b","detail":{}}' % transaction,
            b'"uuid":"%b","version":"0"' % _uuid(noise),
            b'"request":{"ipChain":[{"ip":"%b","geographicalContext":%b,"version":"V4"}]}' % (address, place),
            b'"target":[{"id":"%b","type":"AppInstance","alternateId":"Wiki","displayName":"Wiki"},'
            b'{"id":"%b","type":"User","alternateId":"%b","displayName":"%b"}]'
            % (self._app_ids.id_of(noise[28] & 15), actor_id, person.login, person.first),
        )
        return b"{%b}" % b",".join(self._ORDERS[noise[29] & 7](members))

    def _noise(self, number: int) -> bytes:
        return hashlib.blake2b(b"%d" % number, key=self._key, digest_size=32).digest()


def _uuid(noise: bytes) -> bytes:
    text = noise[:16].hex().encode()
    return b"-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
