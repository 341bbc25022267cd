//! Who may call the address of a source, and how often.

use std::num::NonZeroU32;

use crate::{
    diag::{Collector, Diagnostic},
    network::{MAX_NETWORKS, Network, Networks},
    verify::{BAD_VALUE, CODES},
    yaml::{Entry, KeyReader, Node},
};

/// More than one process could take anyway.
const MAX_PER_MINUTE: u32 = 1_000_000;

/// How many requests are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In the long run.
    pub per_minute: NonZeroU32,
    /// At once, after a rest.
    pub burst: NonZeroU32,
}

/// Reads `allow_from`; absent, everybody may call. `None` also where there are mistakes; they are in `out`.
pub(super) fn allow_from(entry: Option<&Entry>, out: &mut Collector) -> Option<Networks> {
    let node = &entry?.value;
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if nodes.is_empty() || nodes.len() > MAX_NETWORKS {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                format!("`allow_from` takes 1 to {MAX_NETWORKS} ranges of addresses"),
            )
            .at(node.span, "none, or too many")
            .help("leave the key out to take requests from everywhere"),
        );
        return None;
    }
    let ranges: Vec<_> = nodes.iter().map(|node| range(node, out)).collect();
    ranges.into_iter().collect()
}

fn range(node: &Node, out: &mut Collector) -> Option<Network> {
    let Some(text) = node.as_text().filter(|_| !node.is_null()) else {
        out.add(
            Diagnostic::error(
                CODES.shape,
                format!(
                    "a range of addresses is a text, but here is {}",
                    node.shape()
                ),
            )
            .at(node.span, "expected a range such as 192.0.2.0/24"),
        );
        return None;
    };
    text.parse()
        .map_err(|error: crate::network::NetworkError| {
            out.add(
                Diagnostic::error(BAD_VALUE, error.to_string())
                    .at(node.span, "not a range of addresses")
                    .help("write an address such as 192.0.2.7, or a range such as 192.0.2.0/24; names are not looked up"),
            );
        })
        .ok()
}

/// Reads `rate_limit`; absent, every request is taken. `None` also where there are mistakes; they are in `out`.
pub(super) fn rate_limit(entry: Option<&Entry>, out: &mut Collector) -> Option<RateLimit> {
    let mut keys = KeyReader::new(&entry?.value, "rate_limit", CODES, out)?;
    let per_minute = keys
        .require_text("per_minute", "write `rate_limit: {per_minute: 600}`", out)
        .and_then(|(text, node)| number(text, node, out));
    let burst = keys
        .take("burst")
        .map(|entry| &entry.value)
        .and_then(|node| number(node.as_text().unwrap_or_default(), node, out));
    keys.finish(out);
    let per_minute = per_minute?;
    Some(RateLimit {
        per_minute,
        burst: burst.unwrap_or(per_minute),
    })
}

fn number(text: &str, node: &Node, out: &mut Collector) -> Option<NonZeroU32> {
    let number = text.parse::<NonZeroU32>().ok();
    let number = number.filter(|number| number.get() <= MAX_PER_MINUTE);
    if number.is_none() {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                format!("this takes a whole number from 1 to {MAX_PER_MINUTE}"),
            )
            .at(node.span, "not such a number")
            .help("leave `rate_limit` out to take every request"),
        );
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::{SourceText, render_lines},
        source::receive::Receive,
        yaml,
    };

    fn read(more: &str) -> (Option<Receive>, String) {
        let text = format!("verify: github\nsecrets: [{{env: CRM_SECRET}}]\n{more}\n");
        let mut out = Collector::new(SourceText::new("crm.yaml", text));
        let receive = yaml::parse(&mut out).and_then(|node| Receive::read(&node, &mut out));
        (receive, render_lines(&out.finish()).join("\n"))
    }

    #[test]
    fn everybody_may_call_as_often_as_they_like_unless_the_file_says_otherwise() {
        let receive = read("").0.unwrap();
        assert_eq!((receive.allow_from, receive.rate_limit), (None, None));
    }

    #[test]
    fn ranges_and_numbers_are_read() {
        let text =
            "allow_from: [192.0.2.0/24, 2001:db8::1]\nrate_limit: {per_minute: 600, burst: 50}";
        let receive = read(text).0.unwrap();
        assert_eq!(
            receive.allow_from.unwrap().to_string(),
            "192.0.2.0/24, 2001:db8::1"
        );
        let limit = receive.rate_limit.unwrap();
        assert_eq!((limit.per_minute.get(), limit.burst.get()), (600, 50));

        let receive = read("allow_from: 192.0.2.7\nrate_limit: {per_minute: 60}")
            .0
            .unwrap();
        assert_eq!(receive.allow_from.unwrap().to_string(), "192.0.2.7");
        assert_eq!(receive.rate_limit.unwrap().burst.get(), 60);
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let text = "allow_from: [192.0.2.7/24, hooks.crm.example, {a: 1}]\nrate_limit: {per_minute: 0, burst: many, per_hour: 1}";
        let (receive, found) = read(text);
        assert_eq!(receive, None);
        insta::assert_snapshot!(found, @r"
        crm.yaml:3:14: error recv/bad-value: `192.0.2.7/24` is inside a range and does not begin one; the range is `192.0.2.0/24` (write an address such as 192.0.2.7, or a range such as 192.0.2.0/24; names are not looked up)
        crm.yaml:3:28: error recv/bad-value: `hooks.crm.example` is not an address or a range such as `192.0.2.0/24` (write an address such as 192.0.2.7, or a range such as 192.0.2.0/24; names are not looked up)
        crm.yaml:3:47: error recv/wrong-shape: a range of addresses is a text, but here is a map
        crm.yaml:4:26: error recv/bad-value: this takes a whole number from 1 to 1000000 (leave `rate_limit` out to take every request)
        crm.yaml:4:36: error recv/bad-value: this takes a whole number from 1 to 1000000 (leave `rate_limit` out to take every request)
        crm.yaml:4:42: error recv/unknown-key: rate_limit has no key `per_hour` (rate_limit knows: per_minute, burst)
        ");
        let (receive, found) = read("allow_from: []\nrate_limit: {burst: 5}");
        assert_eq!(receive, None);
        insta::assert_snapshot!(found, @r"
        crm.yaml:3:13: error recv/bad-value: `allow_from` takes 1 to 256 ranges of addresses (leave the key out to take requests from everywhere)
        crm.yaml:4:14: error recv/missing-key: rate_limit needs `per_minute` (write `rate_limit: {per_minute: 600}`)
        ");
    }
}
