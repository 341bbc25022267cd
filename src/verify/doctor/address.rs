//! The address as the sender knows it, where it is signed: behind a proxy the gateway sees another.

use http::header;
use percent_encoding::percent_decode_str;

use super::{Aspect, Case, Change, Remedy};

/// More origins than these are not tried.
const MOST_ORIGINS: usize = 12;
/// Paths under which people put a gateway behind a proxy.
const PREFIXES: [&str; 6] = [
    "/api",
    "/gateway",
    "/hooks",
    "/quentli",
    "/quentli-gateway",
    "/v1",
];

pub(super) fn changes(case: &Case<'_>) -> Vec<Change> {
    let current = case.request.public_url.as_str();
    let Some((origin, path)) = split(current) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    let paths = paths(case, path);
    let origins = origins(case, origin);
    for other in &origins {
        changes.push(of_origin(other, path));
    }
    for (other, finding, remedy) in &paths {
        changes.push(of_path(&format!("{origin}{other}"), finding, remedy));
    }
    for other in &origins {
        for (path, finding, remedy) in &paths {
            let mut change = of_origin(other, path);
            change.advice.finding = format!("{}, and {finding}", change.advice.finding);
            if let Remedy::PublicUrl(_) = change.advice.remedy {
                change.advice.remedy = Remedy::Words(format!(
                    "write `public_url: {other}` in gateway.yaml; and {remedy}"
                ));
            }
            changes.push(change);
        }
    }
    changes
}

fn of_origin(origin: &str, path: &str) -> Change {
    let mut change = Change::new(
        Aspect::Address,
        format!("the sender signed the address as {origin}"),
        Remedy::PublicUrl(origin.to_owned()),
    );
    change.url = Some(format!("{origin}{path}"));
    change
}

fn of_path(url: &str, finding: &str, remedy: &str) -> Change {
    let mut change = Change::new(Aspect::Address, finding, Remedy::Words(remedy.to_owned()));
    change.url = Some(url.to_owned());
    change
}

/// Scheme with host, and the rest.
fn split(url: &str) -> Option<(&str, &str)> {
    let (_, rest) = url.split_once("://")?;
    let begin = url.len() - rest.len();
    let end = rest
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| begin + at);
    url.split_at_checked(end)
}

/// Other schemes, hosts and ports than the one that was taken.
fn origins(case: &Case<'_>, origin: &str) -> Vec<String> {
    let header = |name: &str| {
        let value = case.request.headers.get(name)?.to_str().ok()?;
        Some(
            value
                .split(',')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
        )
    };
    let (_, authority) = origin.split_once("://").unwrap_or(("", origin));
    let named = [
        Some(authority.to_owned()),
        header("x-forwarded-host"),
        header(header::HOST.as_str()),
    ];
    let mut hosts: Vec<String> = Vec::new();
    for host in named
        .into_iter()
        .flatten()
        .filter(|host| is_authority(host))
    {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let mut origins = Vec::new();
    let mut add = |candidate: String| {
        if candidate != origin && !origins.contains(&candidate) && origins.len() < MOST_ORIGINS {
            origins.push(candidate);
        }
    };
    for host in &hosts {
        for scheme in ["https", "http"] {
            add(format!("{scheme}://{host}"));
        }
    }
    for host in &hosts {
        let bare = match host.rsplit_once(':') {
            Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
            _ => host,
        };
        for (scheme, port) in [("https", "443"), ("http", "80")] {
            add(format!("{scheme}://{bare}"));
            add(format!("{scheme}://{bare}:{port}"));
        }
        if let Some(port) = header("x-forwarded-port") {
            add(format!("https://{bare}:{port}"));
        }
    }
    origins
}

fn is_authority(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

/// Other paths and queries: each with what it means and what to do.
fn paths(case: &Case<'_>, path: &str) -> Vec<(String, String, String)> {
    let (way, query) = match path.split_once('?') {
        Some((way, query)) => (way, Some(query)),
        None => (path, None),
    };
    let with_query = |way: &str| match query {
        Some(query) => format!("{way}?{query}"),
        None => way.to_owned(),
    };
    let mut paths = Vec::new();
    let register = "register the address with the sender exactly as it calls it";
    match way.strip_suffix('/') {
        Some(bare) => paths.push((
            with_query(bare),
            "the address was signed without the slash at the end of its path".to_owned(),
            register.to_owned(),
        )),
        None => paths.push((
            with_query(&format!("{way}/")),
            "the address was signed with a slash at the end of its path".to_owned(),
            register.to_owned(),
        )),
    }
    if query.is_some() {
        paths.push((
            way.to_owned(),
            "the address was signed without its query".to_owned(),
            "register an address without a query, or have nothing between the sender and here add one"
                .to_owned(),
        ));
    }
    if let Ok(decoded) = percent_decode_str(path).decode_utf8()
        && decoded != path
    {
        paths.push((
            decoded.into_owned(),
            "the address was signed with all its percent escapes decoded".to_owned(),
            "register an address that needs no percent escapes".to_owned(),
        ));
    }
    let forwarded = case
        .request
        .headers
        .get("x-forwarded-prefix")
        .and_then(|value| value.to_str().ok())
        .filter(|prefix| prefix.starts_with('/') && is_plain_path(prefix));
    for prefix in forwarded.into_iter().chain(PREFIXES) {
        let prefix = prefix.trim_end_matches('/');
        paths.push((
            format!("{prefix}{path}"),
            format!("the address was signed with `{prefix}` before its path, which a web server in between takes away"),
            format!("give the gateway a host name of its own instead of the path `{prefix}`; `public_url` takes no path"),
        ));
    }
    paths
}

fn is_plain_path(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte))
}
