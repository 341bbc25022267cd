//! `header('X-Topic')`: a header of the request that carries what the body does not say.

use super::text_literal;
use crate::{
    diag::{Diagnostic, Span},
    mapping::{
        PathInfo, codes,
        compile::{Compiler, expression::Place},
        compiled::{ExprKind, Header},
        expression::Call,
        function::Function,
        types::Type,
    },
};

/// Whoever sends them: what they hold opens doors.
const ALWAYS_SECRET: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

impl Compiler<'_> {
    pub(super) fn header(
        &mut self,
        call: &Call,
        span: Span,
        text: &str,
        place: Place<'_>,
    ) -> Option<(ExprKind, Type)> {
        let [argument] = call.arguments.as_slice() else {
            self.wrong_arguments(Function::Header, span, "`header` takes one name".to_owned());
            return None;
        };
        let Some(written) = text_literal(argument) else {
            let message = "`header` takes a name in quotes".to_owned();
            self.wrong_arguments(Function::Header, span, message);
            return None;
        };
        let at = place.span(&argument.value.at);
        let Ok(name) = written.parse::<http::HeaderName>() else {
            self.error(
                Diagnostic::error(
                    codes::WRONG_ARGUMENTS,
                    format!("`{written}` is not the name of a header"),
                )
                .at(at, "not a header name")
                .help("letters, digits and `-`, such as `X-Shopify-Topic`"),
            );
            return None;
        };
        let name = name.as_str();
        if ALWAYS_SECRET.contains(&name) || self.secret_headers.iter().any(|secret| secret == name)
        {
            self.error(
                Diagnostic::error(
                    codes::SECRET_HEADER,
                    format!("`{written}` holds a secret or a proof, which no rule may read"),
                )
                .at(at, "never stored with an event")
                .help("read a header that says what the event is about"),
            );
            return None;
        }
        if !self.headers.iter().any(|known| known == name) {
            self.headers.push(name.to_owned());
        }
        let number = self.paths.len();
        self.paths.push(PathInfo {
            text: text.get(call.at.clone()).unwrap_or_default().to_owned(),
            span,
            is_covered: true,
        });
        let header = Header {
            number,
            name: name.to_owned(),
        };
        Some((ExprKind::Header(header), Type::Text))
    }
}
