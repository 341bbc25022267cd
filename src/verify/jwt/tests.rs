//! Tokens that an honest sender makes, and those that RFC 7515, RFC 8725 and published weaknesses of other readers warn
//! of.

mod claims;
mod hostile;
mod keys;
mod round_trip;

use std::sync::OnceLock;

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::*;
use crate::verify::{
    Outgoing, PrivateKey, SigningSecret, Verifier, read::tests::read as read_settings,
};

pub(crate) const NOW: i64 = 1_760_000_000;
const SECRET: &str = "a shared secret of the tests";
const URL: &str = "https://hooks.example/webhooks/crm?a=b";
const BODY: &str = r#"{"id":"ev-1","name":"José"}"#;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn secret(value: &str) -> SigningSecret {
    SigningSecret {
        name: "SECRET".into(),
        value: value.into(),
        until: None,
    }
}

/// A verifier of tokens in the header `Authorization`, with more settings.
fn shared(more: &str) -> Verifier {
    let text = format!(
        "{{type: jwt, token_source: 'header:Authorization', token_prefix: 'Bearer ', algorithms: [HS256]{more}}}"
    );
    Verifier::new(read_settings(&text).unwrap(), &[secret(SECRET)]).unwrap()
}

/// The same with published keys.
fn public(algorithms: &str, keys: &Value) -> Verifier {
    let text =
        format!("{{type: jwt, token_source: 'header:Authorization', algorithms: {algorithms}}}");
    let verifier = Verifier::new(read_settings(&text).unwrap(), &[]).unwrap();
    let set = KeySet::read(keys.to_string().as_bytes()).unwrap();
    verifier.use_keys(KeySetHandle::holding(set));
    verifier
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims of a token that is good for five minutes.
fn good_claims() -> Value {
    json!({"exp": NOW + 300})
}

/// `header.payload`, of texts that need not be JSON.
fn unsigned(header: &(impl ToString + ?Sized), claims: &(impl ToString + ?Sized)) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

/// A token that the holder of a secret signed, whatever its header says.
fn hmac(
    header: &(impl ToString + ?Sized),
    claims: &(impl ToString + ?Sized),
    secret: &str,
) -> String {
    let signed = unsigned(header, claims);
    let secret = self::secret(secret);
    let key = SharedKey::prepare(crate::verify::SecretEncoding::Utf8, &secret).unwrap();
    let signature = key.sign(SharedAlgorithm::Hs256, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

/// What comes of a token in the header.
fn verdict(verifier: &Verifier, token: &str) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(token).unwrap());
    let request = Outgoing {
        method: Method::POST,
        url: URL.into(),
        headers,
        body: Bytes::from_static(BODY.as_bytes()),
    };
    verifier
        .verify(request.into_received(now()), now())
        .map(drop)
        .map_err(|(_, refusal)| refusal)
}

/// A key pair with its public half as a JWK.
pub(crate) struct Pair {
    pem: SecretString,
    pub(crate) jwk: Value,
    public_pem: String,
}

impl Pair {
    pub(crate) fn private(&self) -> PrivateKey {
        PrivateKey::read(&self.pem).unwrap()
    }

    /// A token that says what its maker likes, signed as RS256 or ES256.
    pub(crate) fn token(
        &self,
        header: &(impl ToString + ?Sized),
        claims: &(impl ToString + ?Sized),
    ) -> String {
        let signed = unsigned(header, claims);
        let algorithm = if self.jwk["kty"] == "RSA" {
            PublicAlgorithm::Rs256
        } else {
            PublicAlgorithm::Es256
        };
        let signature = algorithm.sign(&self.private(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    pub(crate) fn named(&self, id: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = json!(id);
        jwk
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

pub(crate) fn rsa_pairs() -> &'static [Pair; 2] {
    static PAIRS: OnceLock<[Pair; 2]> = OnceLock::new();
    PAIRS.get_or_init(|| {
        [(), ()].map(|()| {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
            let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            // RFC 8017, appendix A.1.1, of a modulus of 256 bytes: its head is 9 bytes long.
            let modulus = &pair.public_key().as_ref()[9..265];
            let public = pair.public_key().as_der().unwrap();
            Pair {
                pem: pem("PRIVATE KEY", private.as_ref()).into(),
                jwk: json!({"kty": "RSA", "n": encode(modulus), "e": "AQAB"}),
                public_pem: pem("PUBLIC KEY", public.as_ref()),
            }
        })
    })
}

pub(crate) fn ec_pair() -> &'static Pair {
    static PAIR: OnceLock<Pair> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let public = pair.public_key().as_der().unwrap();
        Pair {
            pem: pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref()).into(),
            jwk: json!({"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])}),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
        }
    })
}
