r"""Edge cases of JSON: valid profile attributes that break clients that parse and re-encode records.

Each entry is the text of one or more members of `profile`, byte for byte as it goes on the wire. Okta's description
of a user profile allows attributes of any name and type, so none of these leaves the format; what they have in common
is that a parse into native values and back would not return the same bytes. `EDGE_CASES` maps
a name, used by the tests to show that every kind is present, to the fragment.
"""

from typing import Final

_NUMBERS: Final = {
    "int-over-64-bits": rb'"ledgerNo":12345678901234567890123',
    "int-over-double": rb'"counter":9007199254740993',
    "uint64-max": rb'"quota":18446744073709551615',
    "negative-int": rb'"delta":-9223372036854775809',
    "float-one": rb'"fte":1.0',
    "exponent-lower": rb'"budget":1e5',
    "exponent-upper": rb'"limitUsd":1E+2',
    "exponent-huge": rb'"mass":1e400',
    "exponent-tiny": rb'"charge":2.5E-324',
    "minus-zero": rb'"balance":-0.0',
    "minus-zero-int": rb'"offset":-0',
    "trailing-zeros": rb'"ratio":0.1000',
    "long-fraction": rb'"pi":3.14159265358979323846264338327950288',
}

_ESCAPES: Final = {
    "escape-latin": rb'"nickNameEscaped":"caf\u00e9 \u00DF"',
    "escape-ascii": rb'"vendor":"\u0041\u0063me"',
    "escape-pair": rb'"mood":"\ud83d\ude00 \uD83D\uDE80"',
    "escape-lone-high": rb'"broken":"\ud800"',
    "escape-lone-low": rb'"brokenTail":"\udc00 tail"',
    "escape-swapped-pair": rb'"swapped":"\ude00\ud83d"',
    "escape-slash": rb'"homepage":"https:\/\/people.example.com\/~me\/"',
    "escape-quote": rb'"motto":"she said \"no\" and \"yes\""',
    "escape-backslash": rb'"homeDir":"C:\\Users\\me\\"',
    "escape-controls": rb'"notes":"a\bb\fc\nd\re\tf\u0000g\u001f"',
    "escaped-key": rb'"\u0069d":"not the id","last\u0055pdated":"not a date"',
}

_UNICODE: Final = {
    "raw-accents": '"office":"Zürich, Örebro, Ærø, Łódź"'.encode(),
    "raw-combining": '"office2":"Zu\u0308rich e\u0301cole"'.encode(),
    "raw-cjk": '"officeJa":"東京都千代田区 第三開発部 𠮷野家"'.encode(),
    "raw-emoji": '"badge":"👩🏽‍💻 🏳️‍🌈 🇨🇭"'.encode(),
    "raw-rtl": '"nameAr":"مرحبا بالعالم","nameHe":"שלום \u202eabc\u202c"'.encode(),
    "raw-line-separator": '"memo":"one\u2028two\u2029three\u00a0\ufeffend\x7f"'.encode(),
    "raw-noncharacter": '"glyph":"\ufffe\uffff\U0010ffff\ufffd"'.encode(),
    "unicode-key": '"größe":"XL","部署":"営業"'.encode(),
}

_SHAPES: Final = {
    "nested-object": (
        rb'"workspace":{"id":"00uNotTheIdOfTheUser","building":{"name":"HQ-2","floors":[{"no":3,"desks":["3A","3B"]}]},'
        rb'"lastUpdated":"2999-12-31T23:59:59.999Z"}'
    ),
    "nested-array": rb'"delegates":["a",["b",[]],{},{"k":[1,2,{"z":null}]}]',
    "deep-nesting": b'"tree":' + b'{"n":[' * 30 + b"0" + b"]}" * 30,
    "null": rb'"badgeNo":null',
    "booleans": rb'"contractor":false,"onCall":true',
    "empty-object": rb'"preferences":{}',
    "empty-array": rb'"certificates":[]',
    "empty-string": rb'"suffix":""',
    "empty-key": rb'"":"a member without a name"',
    "duplicate-key": rb'"costTag":"A1","costTag":"B2","costTag":null',
    "duplicate-nested": rb'"desk":{"no":1,"no":1.0},"desk":{"no":"1"}',
    "brackets-in-string": rb'"regex":"^[{\"}],[{]*$ ]}]}"',
    "json-in-string": rb'"raw":"{\"id\":\"x\",\"lastUpdated\":\"2999-01-01T00:00:00.000Z\"}"',
    "magic-keys": rb'"__proto__":{"constructor":{}},"hasOwnProperty":1',
    "long-string": b'"biography":"' + b"lorem ipsum dolor sit amet, " * 24 + b'"',
}

EDGE_CASES: Final[dict[str, bytes]] = _NUMBERS | _ESCAPES | _UNICODE | _SHAPES
"""Every kind by name; the value is the exact text of the members."""
