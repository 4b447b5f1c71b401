//! Keys that sign: RSA and the three NIST curves, as a JWK (RFC 7517) or as PEM. The cryptography is AWS-LC's.

use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RsaEncoding,
};
use base64::Engine;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::base64url::{BASE64URL, encoded};
use super::random::no_random_numbers;
use crate::error::{Error, ErrorKind, Result};

/// A private key with the algorithm it signs by (RFC 7518, section 3.1).
pub(in crate::api::auth) struct SigningKey {
    pair: Pair,
    algorithm: &'static str,
    id: Option<String>,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair, &'static Curve),
}

/// A curve with the one algorithm that is defined for it. Signatures are r and s one after the other, not DER.
struct Curve {
    name: &'static str,
    algorithm: &'static str,
    signing: &'static EcdsaSigningAlgorithm,
    /// Bytes of a coordinate, and of the private number.
    bytes: usize,
}

static CURVES: [Curve; 3] = [
    Curve { name: "P-256", algorithm: "ES256", signing: &ECDSA_P256_SHA256_FIXED_SIGNING, bytes: 32 },
    Curve { name: "P-384", algorithm: "ES384", signing: &ECDSA_P384_SHA384_FIXED_SIGNING, bytes: 48 },
    Curve { name: "P-521", algorithm: "ES512", signing: &ECDSA_P521_SHA512_FIXED_SIGNING, bytes: 66 },
];

/// Why a key can't be used; never with any of it.
type Unusable = String;

impl SigningKey {
    /// The key in `text`, a JWK or PEM. `id` is sent to the server if the key does not hold one itself.
    pub(in crate::api::auth) fn read(text: &str, id: Option<&str>) -> Result<Self, Unusable> {
        let mut key = if text.trim_start().starts_with('{') { from_jwk(text)? } else { from_pem(text)? };
        key.id = key.id.or_else(|| id.map(str::to_owned));
        Ok(key)
    }

    /// A new key on the curve P-256.
    pub(super) fn generate() -> Result<Self> {
        let curve = &CURVES[0];
        let pair = EcdsaKeyPair::generate(curve.signing).map_err(|_| no_random_numbers())?;
        Ok(Self { pair: Pair::Ec(pair, curve), algorithm: curve.algorithm, id: None })
    }

    /// The name of the algorithm, such as `RS256`.
    pub(in crate::api::auth) fn algorithm(&self) -> &'static str {
        self.algorithm
    }

    /// The key's id.
    pub(in crate::api::auth) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The public key of a curve as a JWK.
    pub(super) fn public_jwk(&self) -> Option<Value> {
        let Pair::Ec(pair, curve) = &self.pair else { return None };
        // Uncompressed: 4, then x and y (SEC 1, section 2.3.3).
        let (x, y) = pair.public_key().as_ref().get(1..)?.split_at_checked(curve.bytes)?;
        Some(json!({"kty": "EC", "crv": curve.name, "x": encoded(x), "y": encoded(y)}))
    }

    /// The same with the private number.
    pub(in crate::api::auth) fn private_jwk(&self) -> Option<Value> {
        let Pair::Ec(pair, _) = &self.pair else { return None };
        let number: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
        let mut jwk = self.public_jwk()?;
        jwk["d"] = encoded(number.as_ref()).into();
        Some(jwk)
    }

    /// The signature of `message`.
    pub(in crate::api::auth) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        let signed = match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map(|()| signature)
            }
            Pair::Ec(pair, _) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()),
        };
        signed.map_err(|_| Error::new(ErrorKind::Auth, "sign in", "the private key can't sign"))
    }
}

/// A private key of RFC 7518, section 6.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    #[serde(flatten)]
    numbers: std::collections::BTreeMap<String, Value>,
}

impl Jwk {
    fn number(&self, name: &str) -> Result<Vec<u8>, Unusable> {
        let text = self.numbers.get(name).and_then(Value::as_str);
        let text = text.ok_or_else(|| match name {
            "d" => "it is a public key: the private one has `d`".to_owned(),
            _ => format!("the JWK has no `{name}`"),
        })?;
        BASE64URL.decode(text).map_err(|_| format!("`{name}` of the JWK is not base64url"))
    }
}

fn from_jwk(text: &str) -> Result<SigningKey, Unusable> {
    // What serde says of a syntax error could hold a piece of the key.
    let jwk: Jwk = serde_json::from_str(text).map_err(|_| "it is not a JSON Web Key".to_owned())?;
    let (pair, own) = match jwk.kty.as_str() {
        "RSA" => {
            let part = |name| jwk.number(name);
            let d = part("d")?;
            let components = KeyPairComponents {
                public_key: PublicKeyComponents { n: part("n")?, e: part("e")? },
                d,
                p: part("p")?,
                q: part("q")?,
                dP: part("dp")?,
                dQ: part("dq")?,
                qInv: part("qi")?,
            };
            let pair = RsaKeyPair::from_components(&components).map_err(|why| rejected(&why))?;
            rsa(pair, jwk.alg.as_deref())?
        }
        "EC" => {
            let name = jwk.crv.as_deref().unwrap_or_default();
            let curve = CURVES.iter().find(|curve| curve.name == name);
            let curve = curve.ok_or_else(|| format!("its curve `{name}` is none of P-256, P-384, P-521"))?;
            let number = |name| jwk.number(name).map(|number| padded(&number, curve.bytes));
            let d = number("d")?;
            let public = [vec![4], number("x")?, number("y")?].concat();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &d, &public);
            (Pair::Ec(pair.map_err(|why| rejected(&why))?, curve), curve.algorithm)
        }
        other => return Err(format!("its type `{other}` is neither RSA nor EC")),
    };
    if let Some(named) = jwk.alg.as_deref().filter(|named| *named != own) {
        return Err(format!("it says it is for {named}, which it can't be used for here"));
    }
    Ok(SigningKey { pair, algorithm: own, id: jwk.kid })
}

fn rsa(pair: RsaKeyPair, named: Option<&str>) -> Result<(Pair, &'static str), Unusable> {
    let (encoding, algorithm): (&'static dyn RsaEncoding, _) = match named {
        None | Some("RS256") => (&RSA_PKCS1_SHA256, "RS256"),
        Some("RS384") => (&RSA_PKCS1_SHA384, "RS384"),
        Some("RS512") => (&RSA_PKCS1_SHA512, "RS512"),
        Some(other) => {
            return Err(format!("it says it is for {other}: RSA keys sign by RS256, RS384 or RS512"));
        }
    };
    Ok((Pair::Rsa(pair, encoding), algorithm))
}

fn from_pem(text: &str) -> Result<SigningKey, Unusable> {
    // Environment files write a line break as two characters.
    let text = if text.contains('\n') { text.to_owned() } else { text.replace("\\n", "\n") };
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err("it is encrypted: `openssl pkey -in FILE` writes it without its password".to_owned());
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| "it is neither a JWK nor a private key in PEM".to_owned())?;
    let keyed = |(pair, algorithm)| SigningKey { pair, algorithm, id: None };
    let as_rsa = match &der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        _ => None,
    };
    if let Some(pair) = as_rsa {
        return rsa(pair, None).map(keyed);
    }
    let on = |curve: &'static Curve| {
        let pair = EcdsaKeyPair::from_private_key_der(curve.signing, der.secret_der()).ok()?;
        Some(keyed((Pair::Ec(pair, curve), curve.algorithm)))
    };
    CURVES.iter().find_map(on).ok_or_else(|| {
        "it is not an RSA key of 2048 to 8192 bits, nor on one of the curves P-256, P-384, P-521".to_owned()
    })
}

/// With the leading zeros that some writers leave out.
fn padded(number: &[u8], bytes: usize) -> Vec<u8> {
    [vec![0; bytes.saturating_sub(number.len())], number.to_vec()].concat()
}

fn rejected(why: &aws_lc_rs::error::KeyRejected) -> Unusable {
    format!("its numbers do not fit together ({why})")
}
