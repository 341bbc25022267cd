//! How a repeated event is recognised.

use http::HeaderName;

use super::first_key;
use crate::{
    diag::{Collector, Diagnostic, Span},
    verify::{
        BAD_VALUE, CODES, Coverage, VerifySettings,
        presets::{Preset, PresetDedup},
    },
    yaml::{Entry, KeyReader, Node},
};

/// More parts than any event needs to be told apart.
pub const MAX_DEDUP_EXPRESSIONS: usize = 16;

/// What tells the events of a source apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DedupRule {
    /// A header with the id of the request.
    Header(HeaderName),
    /// Expressions of the mapping language on an item; not compiled yet. At least one.
    Expressions(Vec<DedupExpression>),
    /// The raw body, and the place of the item in it.
    Body,
}

/// A text that must be an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupExpression {
    pub text: String,
    /// Where the text stands: as long as the text, where the file spells it that way. For an expression of a preset,
    /// the section.
    pub span: Span,
}

/// Reads `dedup`; absent, it is the preset's, else the body.
pub(super) fn read(
    entry: Option<&Entry>,
    preset: Option<&Preset>,
    section: Span,
    out: &mut Collector,
) -> Option<DedupRule> {
    let Some(node) = entry.map(|entry| &entry.value) else {
        return Some(of_preset(preset, section));
    };
    if node.as_map().is_some() {
        return header(node, out).map(DedupRule::Header);
    }
    if node.as_text() == Some("body") {
        return Some(DedupRule::Body);
    }
    if let Some(name) = node.as_text().and_then(|text| text.strip_prefix("header:")) {
        let name = name.trim();
        out.add(
            Diagnostic::error(BAD_VALUE, "`dedup` takes a header in a way of its own")
                .at(node.span, "not an expression")
                .help(format!("write `dedup: {{header: {name}}}`")),
        );
        return None;
    }
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if nodes.is_empty() || nodes.len() > MAX_DEDUP_EXPRESSIONS {
        out.add(
            Diagnostic::error(
                BAD_VALUE,
                format!("`dedup` takes 1 to {MAX_DEDUP_EXPRESSIONS} expressions"),
            )
            .at(node.span, "none, or too many")
            .help("write the fields that together number an event, or `dedup: body`"),
        );
        return None;
    }
    let expressions: Vec<_> = nodes.iter().map(|node| expression(node, out)).collect();
    let expressions: Option<Vec<_>> = expressions.into_iter().collect();
    expressions.map(DedupRule::Expressions)
}

/// Warns of a rule by which a forger could make an old request look new, or a change be taken for a repetition. What a
/// preset says is not judged again: it is the best that its sender offers, and `docs/VERIFICATION.md` tells what follows.
pub(super) fn judge(
    entry: Option<&Entry>,
    preset: Option<&Preset>,
    verify: &VerifySettings,
    receive: &Node,
    out: &mut Collector,
) {
    let Some(node) = entry.map(|entry| &entry.value) else {
        if preset.is_none() && !verify.is_none() {
            out.add(
                Diagnostic::warning(
                    "recv/body-dedup",
                    "a repeated event is known by its whole body, since the file does not say otherwise",
                )
                .at(first_key(receive), "`dedup` is missing")
                .help(
                    "name what numbers an event, such as `dedup: [eventId]`; or write `dedup: body` if two changes never \
                     have the same body",
                ),
            );
        }
        return;
    };
    let name = node.get("header").and_then(Node::as_text);
    let Some(name) = name.and_then(|name| name.parse::<HeaderName>().ok()) else {
        return;
    };
    let coverage = verify.coverage();
    let signs_something = coverage != Coverage::default();
    let is_of_preset = of_preset(preset, node.span) == DedupRule::Header(name.clone());
    if signs_something && !coverage.headers.contains(&name) && !is_of_preset {
        out.add(
            Diagnostic::warning(
                "recv/unsigned-dedup-header",
                format!("the signature does not cover the header `{name}`"),
            )
            .at(node.span, "can be changed on the way")
            .help(
                "whoever captures a request could send it again under another number; take a field of the signed body, \
                 such as `dedup: [eventId]`, where there is one",
            ),
        );
    }
}

fn of_preset(preset: Option<&Preset>, section: Span) -> DedupRule {
    match preset.map_or(PresetDedup::Body, |preset| preset.dedup) {
        PresetDedup::Header(name) => DedupRule::Header(
            name.parse()
                .expect("a test parses the header name of every preset"),
        ),
        PresetDedup::Expressions(texts) => {
            let expression = |text: &&str| DedupExpression {
                text: (*text).to_owned(),
                span: section,
            };
            DedupRule::Expressions(texts.iter().map(expression).collect())
        }
        PresetDedup::Body => DedupRule::Body,
    }
}

fn header(node: &Node, out: &mut Collector) -> Option<HeaderName> {
    let mut keys = KeyReader::new(node, "dedup", CODES, out)?;
    let name = keys
        .require_text(
            "header",
            "write `dedup: {header: NAME}`, or a list of expressions",
            out,
        )
        .and_then(|(text, node)| {
            let name = text.parse().ok();
            if name.is_none() {
                out.add(
                    Diagnostic::error(BAD_VALUE, format!("`{text}` is not a header name"))
                        .at(node.span, "not a header name")
                        .help("letters, digits and `-`, such as `webhook-id`"),
                );
            }
            name
        });
    keys.finish(out);
    name
}

fn expression(node: &Node, out: &mut Collector) -> Option<DedupExpression> {
    match node.as_text() {
        Some(text) if !node.is_null() && !text.is_empty() => Some(DedupExpression {
            text: text.to_owned(),
            span: node.span_within(0, text.len()),
        }),
        _ => {
            out.add(
                Diagnostic::error(
                    CODES.shape,
                    format!("an expression is a text, but here is {}", node.shape()),
                )
                .at(node.span, "expected an expression"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::{SourceText, render_lines},
        source::receive::Receive,
        yaml,
    };

    const SIGNED: &str = "{type: hmac, signature_header: X-Sig, encoding: hex, signed: '{id}.{header:X-Key}.{body}', id_header: X-Id}";

    /// The codes of the warnings; the section must be usable all the same.
    fn warnings(verify: &str, dedup: &str) -> Vec<String> {
        let secrets = if verify == "none" {
            ""
        } else {
            "secrets: [{env: CRM_SECRET}]\n"
        };
        let text = format!("verify: {verify}\n{secrets}{dedup}\n");
        let mut out = Collector::new(SourceText::new("crm.yaml", text));
        let receive = yaml::parse(&mut out).and_then(|node| Receive::read(&node, &mut out));
        let findings = out.finish();
        assert!(receive.is_some(), "{:?}", render_lines(&findings));
        findings
            .list
            .iter()
            .map(|found| found.code.to_owned())
            .collect()
    }

    #[test]
    fn a_header_that_nobody_signed_is_warned_of() {
        for (verify, dedup, expected) in [
            (SIGNED, "dedup: {header: X-Id}", &[][..]),
            (SIGNED, "dedup: {header: X-Key}", &[]),
            (
                SIGNED,
                "dedup: {header: x-other}",
                &["recv/unsigned-dedup-header"],
            ),
            (SIGNED, "dedup: [eventId]", &[]),
            (
                "github",
                "dedup: {header: X-Other}",
                &["recv/unsigned-dedup-header"],
            ),
            // The best that its sender has.
            ("github", "dedup: {header: x-github-delivery}", &[]),
            ("github", "", &[]),
            ("standard-webhooks", "dedup: {header: webhook-id}", &[]),
            // Where nothing is signed, everything can be changed anyway.
            (
                "{type: token, token_source: 'header:X-Token'}",
                "dedup: {header: X-Id}",
                &[],
            ),
        ] {
            assert_eq!(warnings(verify, dedup), expected, "{verify} {dedup}");
        }
    }

    #[test]
    fn the_body_as_a_key_is_something_to_be_written_down() {
        for (verify, dedup, expected) in [
            (SIGNED, "", &["recv/body-dedup"][..]),
            (SIGNED, "dedup: body", &[]),
            ("twilio", "", &[]),
            ("none", "", &["recv/unverified"]),
        ] {
            assert_eq!(warnings(verify, dedup), expected, "{verify} {dedup}");
        }
    }
}
