//! The examples of the RFCs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P521_SHA512_FIXED, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use http::Method;
use serde_json::Value;

use super::base64url::{BASE64URL, encoded};
use super::dpop::{DpopProof, proof};
use super::key::SigningKey;
use super::tests::claims;
use crate::secrets::Secret;

fn vectors() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/data/jose_vectors.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn decoded(text: &Value) -> Vec<u8> {
    BASE64URL.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn rsa_signs_as_the_example() {
    let example = &vectors()["RFC 7515"]["A.2"];
    let key = SigningKey::read(&example["key"].to_string(), None).unwrap();
    let signature = key.sign(example["signed"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(
        (key.algorithm(), encoded(signature).as_str()),
        ("RS256", example["signature"].as_str().unwrap())
    );
}

#[test]
fn signatures_on_curves_hold_under_the_key_of_the_example_as_its_own_does() {
    let algorithms: [(&str, &str, &dyn VerificationAlgorithm); 2] =
        [("A.3", "ES256", &ECDSA_P256_SHA256_FIXED), ("A.4", "ES512", &ECDSA_P521_SHA512_FIXED)];
    for (section, algorithm, verification) in algorithms {
        let example = &vectors()["RFC 7515"][section];
        let key = SigningKey::read(&example["key"].to_string(), None).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let public = key.public_jwk().unwrap();
        assert_eq!((&public["x"], &public["y"]), (&example["key"]["x"], &example["key"]["y"]));
        let point = [vec![4], decoded(&public["x"]), decoded(&public["y"])].concat();
        let signed = example["signed"].as_str().unwrap().as_bytes();
        for signature in [key.sign(signed).unwrap(), decoded(&example["signature"])] {
            UnparsedPublicKey::new(verification, &point).verify(signed, &signature).unwrap();
            UnparsedPublicKey::new(verification, &point).verify(b"other", &signature).unwrap_err();
        }
    }
}

#[test]
fn a_proof_claims_what_those_of_the_examples_claim() {
    let rfc = &vectors()["RFC 9449"];
    let key = SigningKey::read(&vectors()["RFC 7515"]["A.3"]["key"].to_string(), None).unwrap();
    for section in ["4.1", "7.1"] {
        let example = &rfc[section];
        let token = example["token"].as_str().map(Secret::new);
        let url = format!("{}?page=2#top", example["url"].as_str().unwrap()).parse().unwrap();
        // What is signed is backdated a little.
        let now = jiff::Timestamp::from_second(example["time"].as_i64().unwrap() + 5).unwrap();
        let method: Method = example["method"].as_str().unwrap().parse().unwrap();
        let about = DpopProof { method: &method, url: &url, now, nonce: None, token: token.as_ref() };
        let ours = proof(&key, &about).unwrap();
        let theirs = example["proof"].as_str().unwrap().parse().unwrap();
        let (mut ours, mut theirs) = (claims(&ours), claims(&theirs));
        assert_eq!(theirs["ath"], example["ath"]);
        ours["jti"].take();
        theirs["jti"].take();
        assert_eq!(ours, theirs, "{section}");
    }
}

#[test]
fn the_key_of_a_proof_is_written_as_its_thumbprint_is_made_of() {
    use sha2::{Digest, Sha256};

    let rfc = &vectors()["RFC 9449"];
    let thumbprint = |jwk: &Value| encoded(Sha256::digest(jwk.to_string()));
    assert_eq!(thumbprint(&rfc["key"]), rfc["thumbprint"].as_str().unwrap());
    let own = SigningKey::generate().unwrap().public_jwk().unwrap();
    let members = |jwk: &Value| jwk.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&own), members(&rfc["key"]), "nothing that is private, and nothing more");
}
