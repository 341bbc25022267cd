//! Who may look: whoever has the token, or, without one, whoever can reach the loopback.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;

use super::Admin;

pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if admin
        .token
        .as_ref()
        .is_none_or(|token| has_token(request.headers(), token))
    {
        return next.run(request).await;
    }
    let text = "{\"type\":\"about:blank\",\"title\":\"The operators' port needs its token\",\"status\":401,\
                \"detail\":\"send `Authorization: Bearer <GATEWAY_ADMIN_TOKEN>`\"}";
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn has_token(headers: &HeaderMap, token: &SecretString) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let given = values
        .next()
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let only = values.next().is_none();
    given.is_some_and(|given| only && bool::from(given.ct_eq(token.expose_secret().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_token_given_once_opens() {
        let token = SecretString::from("t0ken");
        let headers = |values: &[&str]| {
            values
                .iter()
                .map(|value| (header::AUTHORIZATION, value.parse().unwrap()))
                .collect::<HeaderMap>()
        };
        assert!(has_token(&headers(&["Bearer t0ken"]), &token));
        for wrong in [
            &[][..],
            &["t0ken"],
            &["Bearer t0ke"],
            &["Bearer t0kenn"],
            &["Bearer t0ken", "Bearer t0ken"],
        ] {
            assert!(!has_token(&headers(wrong), &token), "{wrong:?}");
        }
    }
}
