//! Who may look and ask: whoever has the token, or, without one, whoever can reach the loopback.
//!
//! Without a token there is one more to keep out: a page of somebody else in the browser of a person at this machine,
//! which can post to the loopback without being asked, and can read it under a name of its own that it points there. So
//! a request must name this host by its address or as `localhost`, which no name in the DNS can stand for, and one that
//! changes something must not come from a page of another origin either.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::Admin;

pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let mut response = answer(&admin, request, next).await;
    // What operators see may be personal, and is old in a moment.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn answer(admin: &Admin, request: Request, next: Next) -> Response<Body> {
    match &admin.token {
        Some(token) if !has_token(request.headers(), token) => {
            let mut response = problem(
                StatusCode::UNAUTHORIZED,
                "The operators' port needs its token",
                "send `Authorization: Bearer <GATEWAY_ADMIN_TOKEN>`",
            );
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        None if !may_pass(request.method(), request.headers()) => problem(
            StatusCode::FORBIDDEN,
            "Pages of other sites may not ask for this",
            "ask from this machine by its address, such as http://127.0.0.1:8081, without `Origin`; or set \
             GATEWAY_ADMIN_TOKEN and send it",
        ),
        _ => next.run(request).await,
    }
}

/// An answer in the form of RFC 9457 that needs no page of its own.
pub(super) fn problem(status: StatusCode, title: &str, detail: &str) -> Response<Body> {
    let body = json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    mark_as_problem(&mut response);
    response
}

/// Says that the JSON of an answer is a problem.
pub(super) fn mark_as_problem(response: &mut Response<Body>) {
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
}

fn has_token(headers: &HeaderMap, token: &SecretString) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let given = values
        .next()
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let only = values.next().is_none();
    given.is_some_and(|given| only && bool::from(given.ct_eq(token.expose_secret().as_bytes())))
}

/// Whether a request needs no token where there is none.
fn may_pass(method: &Method, headers: &HeaderMap) -> bool {
    if is_read(method) {
        only(headers, header::HOST).is_some_and(names_an_address)
    } else {
        is_from_here(headers)
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request can only come from a program, or from a page of our own. A browser sends `Origin` with whatever
/// may change something, and says with `Sec-Fetch-Site` whose page it was; a name that somebody points at the loopback
/// shows in `Host`.
fn is_from_here(headers: &HeaderMap) -> bool {
    let Some(host) = only(headers, header::HOST) else {
        return false;
    };
    let is_own_page = match only(headers, header::ORIGIN) {
        None => !headers.contains_key(header::ORIGIN),
        Some(origin) => origin.strip_prefix("http://") == Some(host),
    };
    let is_own_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    is_own_page && is_own_site && names_an_address(host)
}

/// The value of a header that is there once, as text.
fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn names_an_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn only_the_exact_token_given_once_opens() {
        let token = SecretString::from("t0ken");
        let given = |values: &[&'static str]| {
            let list: Vec<_> = values
                .iter()
                .map(|value| ("authorization", *value))
                .collect();
            headers(&list)
        };
        assert!(has_token(&given(&["Bearer t0ken"]), &token));
        for wrong in [
            &[][..],
            &["t0ken"],
            &["Bearer t0ke"],
            &["Bearer t0kenn"],
            &["Bearer t0ken", "Bearer t0ken"],
        ] {
            assert!(!has_token(&given(wrong), &token), "{wrong:?}");
        }
    }

    #[test]
    fn reading_needs_the_address_and_nothing_more() {
        let origin = ("origin", "https://evil.example");
        for (list, passes) in [
            (&[("host", "127.0.0.1:8081")][..], true),
            (&[("host", "[::1]:8081")], true),
            (&[("host", "localhost:8081")], true),
            // The browser keeps the answer from such a page.
            (&[("host", "127.0.0.1:8081"), origin], true),
            (&[("host", "evil.example:8081")], false),
            (&[], false),
        ] {
            let headers = headers(list);
            assert_eq!(may_pass(&Method::GET, &headers), passes, "{list:?}");
            assert_eq!(may_pass(&Method::HEAD, &headers), passes, "{list:?}");
            let changes = passes && headers.len() == 1;
            assert_eq!(may_pass(&Method::POST, &headers), changes, "{list:?}");
        }
    }

    #[test]
    fn a_page_of_another_site_is_told_from_a_program_and_from_our_own() {
        let (host, origin) = (("host", "127.0.0.1:8081"), "http://127.0.0.1:8081");
        for (list, passes) in [
            (&[host][..], true),
            (&[("host", "localhost:8081")], true),
            (&[("host", "[::1]:8081")], true),
            (&[("host", "127.0.0.1")], true),
            (&[host, ("origin", origin)], true),
            (
                &[host, ("origin", origin), ("sec-fetch-site", "same-origin")],
                true,
            ),
            (&[], false),
            (&[host, host], false),
            (&[host, ("origin", "https://evil.example")], false),
            (&[host, ("origin", "null")], false),
            (&[host, ("origin", origin), ("origin", origin)], false),
            (&[host, ("origin", "http://127.0.0.1:9090")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (&[host, ("sec-fetch-site", "same-site")], false),
            // A name that its owner points at the loopback, so that the page is of the same origin.
            (&[("host", "evil.example:8081")], false),
            (
                &[
                    ("host", "evil.example:8081"),
                    ("origin", "http://evil.example:8081"),
                ],
                false,
            ),
            (&[("host", "127.0.0.1.evil.example")], false),
            (&[("host", "localhost.evil.example:80")], false),
        ] {
            assert_eq!(is_from_here(&headers(list)), passes, "{list:?}");
        }
    }
}
