//! One post, signed where a secret is set.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use serde_json::Value;

use super::Settings;
use crate::verify::{CannotSign, Outgoing, SettingsError, SigningSecret, Verifier, presets};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_secs(10);

/// Why nothing was posted. Holds no address.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("the secret of `notify` does not fit")]
    Secret(#[source] SettingsError),
    #[error("what is posted cannot be signed")]
    Sign(#[source] CannotSign),
    #[error("the client cannot be made")]
    Client(#[source] reqwest::Error),
    #[error("the receiver does not answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the receiver answers {0}")]
    Status(StatusCode),
}

/// Posts to one address.
#[derive(Debug)]
pub struct Poster {
    http: reqwest::Client,
    settings: Settings,
    verifier: Option<Verifier>,
}

impl Poster {
    /// # Errors
    /// A secret that cannot sign, or the system's certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self, PostError> {
        let verifier = settings.secret.clone().map(|value| {
            let preset = presets::find("standard-webhooks").expect("it is among the presets");
            let secret = SigningSecret {
                name: "notify.secret".to_owned(),
                value,
                until: None,
            };
            Verifier::new(preset.verify_settings(), &[secret]).map_err(PostError::Secret)
        });
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("quentli-gateway/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .timeout(TIME)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false);
        if settings.url.0.scheme() == "http" {
            // On this machine: no proxy lies between, and the system's root certificates may be missing.
            builder = builder.no_proxy().tls_certs_only(std::iter::empty());
        }
        Ok(Self {
            http: builder.build().map_err(PostError::Client)?,
            verifier: verifier.transpose()?,
            settings,
        })
    }

    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Posts once; only 2xx counts, and what is answered is not read.
    pub(super) async fn post(&self, body: &Value, now: Timestamp) -> Result<(), PostError> {
        let mut outgoing = Outgoing {
            method: Method::POST,
            url: self.settings.url.0.to_string(),
            headers: HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            )]),
            body: body.to_string().into(),
        };
        if let Some(verifier) = &self.verifier {
            let id = format!("msg_{:032x}", rand::random::<u128>());
            outgoing = verifier.sign(outgoing, &id, now).map_err(PostError::Sign)?;
        }
        let request = self
            .http
            .post(self.settings.url.0.clone())
            .headers(outgoing.headers)
            .body(outgoing.body);
        let answer = request.send().await;
        let answer = answer.map_err(|error| PostError::NoAnswer(error.without_url()))?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(PostError::Status(answer.status()))
        }
    }
}
