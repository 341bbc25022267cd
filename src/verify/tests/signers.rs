//! Senders to try checks with: each signs as its settings say, with a secret or key of its own.

use super::*;

/// Settings with a secret or key that fits, and a body that has what is signed.
pub(super) struct Signer {
    pub(super) name: String,
    pub(super) verifier: Verifier,
    pub(super) private: Option<PrivateKey>,
}

impl Signer {
    pub(super) fn new(name: String, settings: VerifySettings) -> Self {
        let key = match settings.key_algorithm() {
            Some(KeyAlgorithm::Ed25519) => Some(include_str!("../keys/ed25519.pem")),
            Some(KeyAlgorithm::EcdsaP256Sha256Der) => Some(include_str!("../keys/p256.pem")),
            Some(KeyAlgorithm::RsaPkcs1Sha256) => Some(include_str!("../keys/rsa-2048.pem")),
            None if settings.needs_key_set() => Some(include_str!("../keys/rsa-2048.pem")),
            None => None,
        };
        let private = key.map(|key| PrivateKey::read(&key.into()).unwrap());
        let verifier = if settings.needs_key_set() {
            let verifier = Verifier::new(settings, &[]);
            if let (Ok(verifier), Some(private)) = (&verifier, &private) {
                verifier.use_keys(published(private));
            }
            verifier
        } else if let Some(private) = &private {
            Verifier::with_public_keys(settings, &[public(private)])
        } else {
            // Text, hexadecimal, base64 and a password at once would be too much to ask.
            let value = match settings.type_name() {
                "basic" => "ana:c0de",
                _ => "c0dec0de",
            };
            Verifier::new(settings, &[secret(value)])
        };
        Self {
            name,
            verifier: verifier.unwrap(),
            private,
        }
    }

    /// Before it is signed.
    pub(super) fn unsigned(&self) -> Outgoing {
        unsigned(self.name == "bitrix24")
    }

    pub(super) fn sign(&self, now: Timestamp) -> Outgoing {
        self.sign_request(self.unsigned(), now)
    }

    pub(super) fn sign_request(&self, request: Outgoing, now: Timestamp) -> Outgoing {
        self.try_sign(request, now)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    pub(super) fn try_sign(
        &self,
        request: Outgoing,
        now: Timestamp,
    ) -> Result<Outgoing, CannotSign> {
        match &self.private {
            Some(private) => self.verifier.sign_with(request, "msg_1", now, private),
            None => self.verifier.sign(request, "msg_1", now),
        }
    }
}

/// Every preset, and every kind of settings in the vectors.
pub(super) fn signers() -> &'static [Signer] {
    static SIGNERS: OnceLock<Vec<Signer>> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let of_presets = presets::all()
            .iter()
            .map(|preset| (preset.name.to_owned(), preset.verify_settings()));
        let of_vectors: BTreeMap<_, _> = vectors()
            .into_iter()
            .filter_map(|vector| {
                let text = vector["verifier"].to_string();
                let settings = read(&text).ok()?;
                Some((text, settings))
            })
            .collect();
        of_presets
            .chain(of_vectors)
            .map(|(name, settings)| Signer::new(name, settings))
            .collect()
    })
}

pub(super) fn unsigned(form: bool) -> Outgoing {
    let mut headers = HeaderMap::new();
    let (kind, body) = if form {
        (
            "application/x-www-form-urlencoded",
            "b=2&a=1&name=Jos%C3%A9",
        )
    } else {
        (
            "application/json",
            r#"{"id":"ev-1","value":[{"x":1},{"x":2}],"name":"José","dateNotification":"2026-01-15T10:30:00Z","action":"Modified",
"urlReference":"https://api.example/1","webhookCallbackSecurity":{"nonce":"n-1"}}"#,
        )
    };
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Outgoing {
        method: Method::POST,
        url: "https://hooks.example/webhooks/crm%2Fx?a=b%20c".into(),
        headers,
        body: Bytes::from(body),
    }
}
