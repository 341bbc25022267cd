//! Why a request is not taken as genuine.

/// The cause of a refusal, for the log, the metric and the person who sets a source up.
///
/// Never shown to the sender, who would learn from it how far a forgery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("no secret of this source is valid any more")]
    NoSecret,
    #[error("a header that this source must send is missing or has another value")]
    RequiredHeader,
    #[error("there is no signature")]
    MissingSignature,
    #[error("a header that decides is there more than once")]
    AmbiguousHeader,
    #[error(
        "a query parameter, form field or part of a header that decides is there more than once"
    )]
    AmbiguousValue,
    #[error("the signature is not written as this source writes it (prefix, encoding or length)")]
    MalformedSignature,
    #[error("there are signatures, but none of the kind or version that is configured")]
    NoKnownSignature,
    #[error("there are more signatures than any honest sender makes")]
    TooManySignatures,
    #[error("the signed form has more fields than any honest sender makes")]
    TooManyFields,
    #[error(
        "no signature matches any secret: wrong secret, changed body, or another text was signed"
    )]
    NoMatch,
    #[error("a part of the signed text (id, header, query parameter, body field) is missing")]
    MissingSignedPart,
    #[error("there is no timestamp")]
    TimestampMissing,
    #[error("the timestamp cannot be read in the configured format")]
    TimestampMalformed,
    #[error("the timestamp is older than the tolerance allows")]
    TimestampTooOld,
    #[error("the timestamp is further in the future than the tolerance allows")]
    TimestampTooNew,
    #[error("the body is not the one whose hash was signed")]
    BodyDigest,
    #[error("there is no token")]
    MissingToken,
    #[error("the token is not ours")]
    WrongToken,
    #[error("there is no user name and password")]
    MissingCredentials,
    #[error("the user name or the password is wrong, or not written as Basic authentication is")]
    WrongCredentials,
    #[error(
        "the request did not come by way of a trusted proxy, so what it says of a certificate counts for nothing"
    )]
    UntrustedProxy,
    #[error("the client showed no certificate")]
    MissingCertificate,
    #[error("the header is not written as the configured format of certificates")]
    MalformedCertificate,
    #[error("the certificate is none of those that are allowed")]
    WrongCertificate,
    #[error("the signature or token is inside the body, and the body cannot be read")]
    UnreadableBody,
    #[error("the handshake is not written as this source writes it, or is too long")]
    HandshakeMalformed,
    #[error("the handshake does not repeat the text that was agreed on (`verify_token`)")]
    HandshakeToken,
    #[error("the handshake names another secret than the one that is established")]
    HandshakeEstablished,
    #[error("the handshake names a host that this source does not list")]
    HandshakeHost,
    #[error("the body is a text that anybody can have signed by this source's handshake")]
    HandshakeSigned,
    #[error("it is a handshake, and its sender does not wait for the answer any more")]
    HandshakeLate,
    #[error(
        "the token is not a JSON web token: three parts in base64 for addresses, with readable JSON inside"
    )]
    MalformedToken,
    #[error("the token is signed with an algorithm that the settings do not allow")]
    AlgorithmNotAllowed,
    #[error("the token names a key that is not among the sender's published keys")]
    UnknownKey,
    #[error("the sender's public keys could not be fetched yet")]
    NoKeySet,
    #[error("the token has expired")]
    TokenExpired,
    #[error("the token is not valid yet: its beginning or its issue lies in the future")]
    TokenTooEarly,
    #[error("the token lacks a claim that the settings ask for")]
    MissingClaim,
    #[error("the token was issued by somebody else (`iss`)")]
    WrongIssuer,
    #[error("the token is for somebody else (`aud`), or the settings do not say who we are")]
    WrongAudience,
    #[error("a claim of the token has another value than the source asks for")]
    WrongClaim,
    #[error("the address is not the one whose hash is in the token")]
    UrlDigest,
}

impl Refusal {
    pub const ALL: [Self; 42] = [
        Self::NoSecret,
        Self::RequiredHeader,
        Self::MissingSignature,
        Self::AmbiguousHeader,
        Self::AmbiguousValue,
        Self::MalformedSignature,
        Self::NoKnownSignature,
        Self::TooManySignatures,
        Self::TooManyFields,
        Self::NoMatch,
        Self::MissingSignedPart,
        Self::TimestampMissing,
        Self::TimestampMalformed,
        Self::TimestampTooOld,
        Self::TimestampTooNew,
        Self::BodyDigest,
        Self::MissingToken,
        Self::WrongToken,
        Self::MissingCredentials,
        Self::WrongCredentials,
        Self::UntrustedProxy,
        Self::MissingCertificate,
        Self::MalformedCertificate,
        Self::WrongCertificate,
        Self::UnreadableBody,
        Self::HandshakeMalformed,
        Self::HandshakeToken,
        Self::HandshakeEstablished,
        Self::HandshakeHost,
        Self::HandshakeSigned,
        Self::HandshakeLate,
        Self::MalformedToken,
        Self::AlgorithmNotAllowed,
        Self::UnknownKey,
        Self::NoKeySet,
        Self::TokenExpired,
        Self::TokenTooEarly,
        Self::MissingClaim,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::WrongClaim,
        Self::UrlDigest,
    ];

    /// The stable code for logs, metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSecret => "no-secret",
            Self::RequiredHeader => "required-header",
            Self::MissingSignature => "missing-signature",
            Self::AmbiguousHeader => "ambiguous-header",
            Self::AmbiguousValue => "ambiguous-value",
            Self::MalformedSignature => "malformed-signature",
            Self::NoKnownSignature => "no-known-signature",
            Self::TooManySignatures => "too-many-signatures",
            Self::TooManyFields => "too-many-fields",
            Self::NoMatch => "no-match",
            Self::MissingSignedPart => "missing-signed-part",
            Self::TimestampMissing => "timestamp-missing",
            Self::TimestampMalformed => "timestamp-malformed",
            Self::TimestampTooOld => "timestamp-too-old",
            Self::TimestampTooNew => "timestamp-too-new",
            Self::BodyDigest => "body-digest",
            Self::MissingToken => "missing-token",
            Self::WrongToken => "wrong-token",
            Self::MissingCredentials => "missing-credentials",
            Self::WrongCredentials => "wrong-credentials",
            Self::UntrustedProxy => "untrusted-proxy",
            Self::MissingCertificate => "missing-certificate",
            Self::MalformedCertificate => "malformed-certificate",
            Self::WrongCertificate => "wrong-certificate",
            Self::UnreadableBody => "unreadable-body",
            Self::HandshakeMalformed => "handshake-malformed",
            Self::HandshakeToken => "handshake-token",
            Self::HandshakeEstablished => "handshake-established",
            Self::HandshakeHost => "handshake-host",
            Self::HandshakeSigned => "handshake-signed",
            Self::HandshakeLate => "handshake-late",
            Self::MalformedToken => "malformed-token",
            Self::AlgorithmNotAllowed => "algorithm-not-allowed",
            Self::UnknownKey => "unknown-key",
            Self::NoKeySet => "no-key-set",
            Self::TokenExpired => "token-expired",
            Self::TokenTooEarly => "token-too-early",
            Self::MissingClaim => "missing-claim",
            Self::WrongIssuer => "wrong-issuer",
            Self::WrongAudience => "wrong-audience",
            Self::WrongClaim => "wrong-claim",
            Self::UrlDigest => "url-digest",
        }
    }

    /// What would have to change for the very same request to pass later, where mending secrets and clocks is not
    /// enough: it is judged by the moment at which it came, and by what stood in it. `None` where the settings decide.
    pub const fn lasting(self) -> Option<&'static str> {
        Some(match self {
            Self::TimestampTooOld | Self::TimestampTooNew => {
                "its time of signing is compared with the moment at which it came, so a clock that was mended since \
                 changes nothing; it passes only with a larger `tolerance` in the source's file"
            }
            Self::TokenExpired | Self::TokenTooEarly => {
                "its token is judged by the moment at which it came, so a clock that was mended since changes nothing; \
                 it passes only with a larger `leeway` in the source's file"
            }
            Self::UntrustedProxy => {
                "what counts is whether a trusted proxy handed it on when it came, so a change of `trusted_proxies` \
                 helps only what comes from now on"
            }
            Self::MissingCertificate => {
                "it came without a certificate; it passes only if `verify` in the source's file looks at another header"
            }
            Self::MissingSignature | Self::MissingToken | Self::MissingCredentials => {
                "it came without what proves a request; it passes only if `verify` in the source's file looks at \
                 another place, where it is"
            }
            Self::AmbiguousHeader | Self::AmbiguousValue | Self::TooManySignatures => {
                "what decides is in it more often than it may be, and stays so; mend the sender or the web server in \
                 between"
            }
            Self::BodyDigest => {
                "its body is not the one that was signed, and stays so; mend what changes the body on its way"
            }
            Self::HandshakeSigned => {
                "its body is a text that anybody can have signed here, so it never passes"
            }
            Self::HandshakeLate => {
                "its sender does not wait for the answer any more; register the address again"
            }
            _ => return None,
        })
    }

    /// Whether the request could not even be checked, which is a bad request (400) rather than an unauthorised one
    /// (401).
    pub const fn is_unverifiable(self) -> bool {
        matches!(self, Self::UnreadableBody)
    }

    /// Whether it is about a registration handshake, which is forbidden (403) rather than unauthorised.
    pub const fn is_of_handshake(self) -> bool {
        matches!(
            self,
            Self::HandshakeMalformed
                | Self::HandshakeToken
                | Self::HandshakeEstablished
                | Self::HandshakeHost
                | Self::HandshakeSigned
                | Self::HandshakeLate
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_code_of_its_own() {
        let codes: HashSet<_> = Refusal::ALL
            .iter()
            .map(|refusal| refusal.as_str())
            .collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
    }
}
