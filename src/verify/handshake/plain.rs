//! Answers 200 to a request that only tries the address. Nothing of it is repeated.

use http::Method;

use super::{HandshakeAnswer, Plain, PlainTest, Verdict};
use crate::verify::{json_path::JsonPath, request::Request};

/// A look at the address, or a test without a body: it can be no event, so it need not be verified.
pub(super) fn unsigned(settings: &Plain, request: &Request<'_>) -> Verdict {
    let is_test = settings.methods.contains(request.method)
        || (*request.method == Method::POST
            && request.body.is_empty()
            && settings.tests.iter().any(|test| test.knows(request)));
    if is_test {
        Verdict::Answer(HandshakeAnswer::empty())
    } else {
        Verdict::Event
    }
}

/// A genuine test with a body.
pub(super) fn signed(settings: &Plain, request: &Request<'_>) -> Verdict {
    if settings.tests.iter().any(|test| test.knows(request)) {
        Verdict::Answer(HandshakeAnswer::empty())
    } else {
        Verdict::Event
    }
}

impl PlainTest {
    fn knows(&self, request: &Request<'_>) -> bool {
        let field = |path: &JsonPath| path.scalar(request.json().ok()?);
        match self {
            Self::Empty => request.body.is_empty(),
            Self::Header(name, value) => {
                matches!(request.header(name), Ok(Some(given)) if given.as_bytes() == value.as_bytes())
            }
            Self::Field(path, value) => field(path).as_ref() == Some(value),
        }
    }
}
