"""What judges our proofs is judged itself: by the examples of RFC 7515, RFC 7638 and RFC 9449."""

import json
from pathlib import Path

import pytest

from circulate_practice.oauth.dpop import NonceError, ProofError, Proofs
from circulate_practice.oauth.jose import JoseError, public_part, thumbprint, verified

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "support/data/jose_vectors.json").read_text())
RFC_9449 = VECTORS["RFC 9449"]


@pytest.mark.parametrize("section", ["A.2", "A.3", "A.4"])
def test_the_signatures_of_the_examples_hold(section: str) -> None:
    example = VECTORS["RFC 7515"][section]
    key, text = public_part(example["key"]), f"{example['signed']}.{example['signature']}"
    if section == "A.4":
        with pytest.raises(JoseError, match="not a signed token"):
            verified(text, key)  # Its payload is no JSON.
        return
    assert verified(text, key).claims["iss"] == "joe"
    with pytest.raises(JoseError):
        verified(text[:-3] + "AAA", key)


def test_the_thumbprints_of_the_examples_are_found() -> None:
    rsa = VECTORS["RFC 7638"]["3.1"]
    assert thumbprint(rsa["key"]) == rsa["thumbprint"]
    assert thumbprint(RFC_9449["key"]) == RFC_9449["thumbprint"]


def test_the_proofs_of_the_examples_hold() -> None:
    request, resource = RFC_9449["4.1"], RFC_9449["7.1"]
    proofs = Proofs(1, lambda: resource["time"])
    token = resource["token"]
    key = proofs.check([resource["proof"]], resource["method"], resource["url"], token=token)
    assert key == RFC_9449["thumbprint"]
    with pytest.raises(NonceError):
        proofs.check([request["proof"]], request["method"], request["url"])
    for method, url, of in [
        ("POST", resource["url"], token),
        ("GET", request["url"], token),
        ("GET", resource["url"], "x"),
    ]:
        with pytest.raises(ProofError, match="claim"):
            Proofs(1, lambda: resource["time"]).check([resource["proof"]], method, url, token=of)
