//! Registration handshakes at the public port: what `verify::handshake` decides is done here. Secrets are kept, addresses
//! fetched, answers written, and everything is counted.

use http::{HeaderValue, Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use axum::body::Body;

use super::{Ingress, refusal::Refusal};
use crate::{
    problem::Problem,
    source::{Lookup, Source},
    store::Learned,
    telemetry::HandshakeOutcome,
    verify::{
        self, Received, Verified, Verifier,
        handshake::{Handshake, HandshakeAnswer, Verdict},
    },
};

/// A handshake that was answered, for log and sender.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) kind: &'static str,
    pub(super) answer: HandshakeAnswer,
}

/// What a request turned out to be.
pub(super) enum Asked<T> {
    /// An event, handed back.
    Event(T),
    Handshake(Answered),
}

/// Whether the source takes a method: `POST`, and what its handshake needs.
pub(super) fn takes(source: &Source, method: &Method) -> bool {
    let by_handshake = || source.handshake().map(Handshake::methods);
    *method == Method::POST || by_handshake().is_some_and(|methods| methods.contains(method))
}

/// The methods that an address takes, for the answer to another one.
pub(super) fn allow(found: &Lookup) -> HeaderValue {
    let mut methods = match found {
        Lookup::Ready(source) => source.handshake().map(Handshake::methods),
        Lookup::Unknown | Lookup::Broken => None,
    }
    .unwrap_or_default();
    methods.push(Method::POST);
    let list: Vec<&str> = methods.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&list.join(", ")).unwrap_or(HeaderValue::from_static("POST"))
}

/// The answer as it is sent.
pub(super) fn response(answered: Answered) -> Response<Body> {
    let mut response = Response::new(Body::from(answered.answer.body));
    *response.headers_mut() = answered.answer.headers;
    response
}

impl Ingress {
    /// Looks at a request that is not verified yet.
    pub(super) async fn ask(
        &self,
        source: &Source,
        received: Received,
    ) -> Result<Asked<Received>, Refusal> {
        let Some(handshake) = source.handshake() else {
            return Ok(Asked::Event(received));
        };
        let now = received.received_at;
        let verdict = handshake.ask(&received, source.verifier(), now);
        self.act(source, handshake, verdict, received, |received| received)
            .await
    }

    /// Looks at a request that is genuine.
    pub(super) async fn ask_verified(
        &self,
        source: &Source,
        verified: Verified,
    ) -> Result<Asked<Verified>, Refusal> {
        let Some(handshake) = source.handshake() else {
            return Ok(Asked::Event(verified));
        };
        let now = verified.received().received_at;
        let verdict = handshake.ask_verified(&verified, now);
        self.act(
            source,
            handshake,
            verdict,
            verified,
            Verified::into_received,
        )
        .await
    }

    /// For the secret that the sender named, where it named one.
    pub(super) fn verifier_of_learned(&self, source: &Source) -> Option<Verifier> {
        let learned = || self.learned.get(source.name());
        let secret = source.learns_its_secret().then(learned).flatten()?;
        source.verifier_of(secret).ok()
    }

    async fn act<T>(
        &self,
        source: &Source,
        handshake: &Handshake,
        verdict: Verdict,
        request: T,
        received: fn(T) -> Received,
    ) -> Result<Asked<T>, Refusal> {
        let count = |outcome| {
            let (metrics, kind) = (&self.metrics, handshake.kind());
            metrics.handshake(source.name(), kind, outcome);
        };
        let (answer, outcome) = match verdict {
            Verdict::Event => return Ok(Asked::Event(request)),
            Verdict::Refused(refusal) => {
                count(HandshakeOutcome::Refused);
                return Err(Refusal::of_handshake(refusal, received(request)));
            }
            Verdict::Answer(answer) => (answer, HandshakeOutcome::Answered),
            Verdict::Confirm { url, answer } => {
                if !self.confirmer.begin(source.name(), url, &self.metrics) {
                    return Err(Problem::Busy.into());
                }
                (answer, HandshakeOutcome::Answered)
            }
            Verdict::Learn { secret, answer } => match self.learn(source, secret).await? {
                Ok(outcome) => (answer, outcome),
                Err(refusal) => {
                    count(HandshakeOutcome::Refused);
                    return Err(Refusal::of_handshake(refusal, received(request)));
                }
            },
        };
        count(outcome);
        let kind = handshake.kind();
        Ok(Asked::Handshake(Answered { kind, answer }))
    }

    /// Keeps the secret that a sender names. One that is known costs no write, whatever a stranger names beside it.
    async fn learn(
        &self,
        source: &Source,
        secret: SecretString,
    ) -> Result<Result<HandshakeOutcome, verify::Refusal>, Refusal> {
        const OTHER: verify::Refusal = verify::Refusal::HandshakeEstablished;
        let named = secret.expose_secret().as_bytes();
        if let Some(known) = self.learned.get(source.name()) {
            let is_same = bool::from(known.expose_secret().as_bytes().ct_eq(named));
            return Ok(is_same.then_some(HandshakeOutcome::Answered).ok_or(OTHER));
        }
        if source.verifier_of(secret.clone()).is_err() {
            return Ok(Err(verify::Refusal::HandshakeMalformed));
        }
        let change = self.learned.change().await;
        let learned = self
            .store
            .learn_secret(source.name(), secret.clone(), self.clock.now())
            .await
            .map_err(|error| self.not_stored(&error))?;
        let outcome = match learned {
            Learned::New => HandshakeOutcome::Learned,
            Learned::Same => HandshakeOutcome::Answered,
            Learned::Other => return Ok(Err(OTHER)),
        };
        change.keep(source.name(), &secret);
        if learned == Learned::New {
            tracing::info!(
                source = %source.name(),
                "the sender named its signing secret, which is kept; events that are signed with it are genuine from now on"
            );
        }
        Ok(Ok(outcome))
    }
}
