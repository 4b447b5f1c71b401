"""Lists of the practice org whose records are nothing but a form: network zones, API tokens, authorization servers."""

from typing import Final

from circulate_practice.data.ids import API_TOKEN, SERVER, ZONE
from circulate_practice.paging.inventory import Form

ZONES: Final = Form(
    name="zones",
    kind="NetworkZone",
    path="/api/v1/zones",
    prefix=ZONE,
    members=(
        '"name":"<name> <suffix>"',
        '"status":"<status>","usage":"<usage>"',
        '"system":<first>',
        "<addresses>",
        '"practiceNotes":{<extras>}',
        '"_links":{"self":{"href":"<here>"},"deactivate":{"href":"<here>/lifecycle/deactivate","hints":{"allow":["POST"]}}}',
    ),
    turns={
        "addresses": (
            (
                '"type":"IP","gateways":[{"type":"CIDR","value":"203.0.113.0/24"},'
                '{"type":"RANGE","value":"192.0.2.4-192.0.2.9"}],"proxies":null'
            ),
            '"type":"DYNAMIC","proxyType":"Any","asns":["23457"],"locations":[{"country":"AF","region":"AF-BGL"}]',
            (
                '"type":"DYNAMIC_V2","asns":{"include":[],"exclude":["64512"]},"locations":{"include":[],"exclude":[]},'
                '"ipServiceCategories":{"include":["ALL_ANONYMIZERS"],"exclude":[]}'
            ),
            r'"type":"IP","gateways":[{"type":"CIDR","value":"2001:db8::\/32"}],"proxies":[],"useAsExemptList":false',
        ),
    },
    chosen={
        "name": (0, ("Offices", "Büro Zürich", r"VPN \/ \"Tor\"", "BlockedIpZone")),
        "status": (1, ("ACTIVE", "ACTIVE", "INACTIVE")),
        "usage": (2, ("POLICY", "BLOCKLIST")),
    },
)

API_TOKENS: Final = Form(
    name="api_tokens",
    kind="ApiToken",
    path="/api/v1/api-tokens",
    prefix=API_TOKEN,
    members=(
        '"name":"<name> <suffix>"',
        '"userId":"<user>"',
        '"tokenWindow":"P30D","network":<network>',
        '"clientName":"Okta API","expiresAt":"<expires>"',
        '"practiceNotes":{<extras>}',
        '"_links":{"self":{"href":"<here>","hints":{"allow":["GET","DELETE"]}},"user":{"href":"<org>/api/v1/users/<user>"}}',
    ),
    chosen={
        "name": (1, ("Terraform", "Büro-Skript", r"HR \/ sync", "SIEM")),
        "network": (
            2,
            ('{"connection":"ANYWHERE"}', '{"connection":"ZONE","include":["nzowc1U5Jh5xuAK0o0g3"],"exclude":[]}'),
        ),
    },
    dates={"expires": 30},
)
"""The token that the org accepts is not among them."""

AUTHORIZATION_SERVERS: Final = Form(
    name="authorization_servers",
    kind="AuthorizationServer",
    path="/api/v1/authorizationServers",
    prefix=SERVER,
    members=(
        '"name":"<name> <suffix>","description":""',
        r'"audiences":["api:\/\/<number:d>"]',
        '"issuer":"<org>/oauth2/<id>","issuerMode":"ORG_URL"',
        '"status":"<status>"',
        (
            '"credentials":{"signing":{"rotationMode":"AUTO","lastRotated":"<updated>","nextRotation":"<rotation>",'
            '"kid":"<noise>"}}'
        ),
        '"practiceNotes":{<extras>}',
        (
            '"_links":{"self":{"href":"<here>"},"scopes":{"href":"<here>/scopes"},"metadata":[{"name":"openid-configuration",'
            '"href":"<org>/oauth2/<id>/.well-known/openid-configuration"}]}'
        ),
    ),
    chosen={
        "name": (0, ("default", "Zürich API", r"Partners \/ \"beta\"", "mobile")),
        "status": (1, ("ACTIVE", "ACTIVE", "INACTIVE")),
    },
    dates={"rotation": 90},
)
