r"""Words the generator makes users of: fragments of JSON text, ready to be joined.

Names come in pairs: the JSON text as it appears in the record (some with raw letters outside ASCII, some with `\u`
escapes for the very same letters, as different identity sources write them) and plain ASCII for logins.
"""

from typing import Final

FIRST_NAMES: Final = tuple(
    (text.encode(), plain.encode())
    for text, plain in (
        ("Amara", "amara"),
        ("Zoë", "zoe"),
        ("José", "jose"),
        (r"Bj\u00f6rn", "bjorn"),
        ("Wei", "wei"),
        ("美咲", "misaki"),
        ("عمر", "omar"),
        ("Priya", "priya"),
        ("Siân", "sian"),
        (r"Fran\u00e7ois", "francois"),
        ("Łukasz", "lukasz"),
        ("Thùy", "thuy"),
        ("Noah", "noah"),
        ("Olga", "olga"),
        ("Kwame", "kwame"),
        ("Mary-Jane", "mary-jane"),
    )
)

LAST_NAMES: Final = tuple(
    (text.encode(), plain.encode())
    for text, plain in (
        ("Okafor", "okafor"),
        (r"O\u0027Brien", "obrien"),
        ("O'Neill", "oneill"),
        ("Müller", "mueller"),
        (r"Garc\u00EDa", "garcia"),
        ("Nguyễn", "nguyen"),
        ("高橋", "takahashi"),
        ("Smith", "smith"),
        ("Şahin", "sahin"),
        ("van der Berg", "vanderberg"),
        ("Kowalczyk", "kowalczyk"),
        ("Haddad", "haddad"),
        ("Svensson", "svensson"),
        ("Iyer", "iyer"),
        ("Mensah", "mensah"),
        (r"D\u2019Angelo", "dangelo"),
    )
)

PLACES: Final = tuple(
    (
        f'"streetAddress":{street},"city":"{city}","state":{state},"zipCode":{code},"countryCode":"{country}",'
        f'"timezone":"{timezone}","locale":"{language}_{country}","preferredLanguage":"{language}"'
    ).encode()
    for street, city, state, code, country, timezone, language in (
        ('"12 Harbour Rd"', "Boston", '"MA"', '"02110"', "US", "America/New_York", "en"),
        (r'"Bahnhofstra\u00dfe 7"', "Zürich", '"ZH"', '"8001"', "CH", "Europe/Zurich", "de"),
        ('"丸の内1-1"', "東京", "null", '"100-0005"', "JP", "Asia/Tokyo", "ja"),
        ('""', "São Paulo", '"SP"', '"01310-100"', "BR", "America\\/Sao_Paulo", "pt"),
        (r'"4th floor, \"The Loft\""', "London", '""', '"EC1A 1BB"', "GB", "Europe/London", "en"),
        ('"شارع الملك 3"', "عمّان", "null", "null", "JO", "Asia/Amman", "ar"),
        (r'"Plot 9\/B, MG Road"', "Bengaluru", '"KA"', '"560001"', "IN", "Asia/Kolkata", "en"),
        ('"ul. Długa 5"', "Kraków", "null", '"31-146"', "PL", "Europe/Warsaw", "pl"),
    )
)

JOBS: Final = tuple(
    b'"title":"%b","department":"%b","division":"%b","userType":"%b"' % job
    for job in (
        (b"Security Engineer", b"Security", b"Technology", b"Employee"),
        (b"Data Engineer II", b"Data Platform", b"Technology", b"Employee"),
        (rb"R\u0026D Lead", rb"R\u0026D", b"Technology", b"Employee"),
        (b"Account Executive", b"Sales", b"Go to Market", b"Employee"),
        (b"Payroll Specialist", b"People", b"Corporate", b"Contractor"),
        ("Leiter Qualitätsprüfung".encode(), b"Operations", b"Corporate", b"Employee"),
        (b"Support Agent \\/ Tier 1", b"Support", b"Customer", b"Contractor"),
        ("課長".encode(), "営業".encode(), b"Go to Market", b"Employee"),
    )
)

PROVIDERS: Final = (
    b'{"type":"OKTA","name":"OKTA"}',
    b'{"type":"OKTA","name":"OKTA"}',
    b'{"name":"corp.example.com","type":"ACTIVE_DIRECTORY"}',
    b'{"type":"IMPORT","name":"IMPORT"}',
    b'{"name":"ldap.example.com","type":"LDAP"}',
    b'{"type":"FEDERATION","name":"FEDERATION"}',
)

QUESTIONS: Final = (
    b"",
    b"",
    b',"recovery_question":{"question":"Who\'s a major player in the cowboy scene?"}',
    ',"recovery_question":{"question":"Wie hieß \\"Rex\\" früher?"}'.encode(),
)
