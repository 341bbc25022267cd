//! How a repeated event is recognised.

use http::HeaderName;

use crate::{
    diag::{Collector, Diagnostic, Span},
    verify::{
        BAD_VALUE, CODES,
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
