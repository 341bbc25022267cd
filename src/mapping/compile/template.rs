//! Templates: `Grado {grade}{group | upper}`.

use super::{Compiler, expression::Place};
use crate::{
    diag::Diagnostic,
    mapping::{
        codes,
        compiled::{Expr, ExprKind, Template, TemplatePart},
        types::{Target, Type},
    },
    yaml::Node,
};

impl Compiler<'_> {
    /// A template as an expression that gives its text.
    pub(super) fn template(&mut self, node: &Node, level: usize) -> Option<Expr> {
        let template = self.template_parts(node, level)?;
        Some(Expr {
            kind: ExprKind::Template(template),
            span: node.span,
            text: node.as_text().unwrap_or_default().into(),
        })
    }

    /// Cuts a template into texts and expressions; `{{` and `}}` are braces.
    fn template_parts(&mut self, node: &Node, level: usize) -> Option<Template> {
        let Some(text) = node.as_text() else {
            self.error(
                Diagnostic::error(
                    codes::FIELD_FORM,
                    format!("a template is a text, but here is {}", node.shape()),
                )
                .at(node.span, "expected a text")
                .help("write `template: \"Grado {grade}\"`"),
            );
            return None;
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut fine = true;
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.extend(rest.chars().next());
                at += 2;
            } else if rest.starts_with('{') {
                let Some(length) = expression_length(rest) else {
                    self.error(
                        Diagnostic::error(codes::UNCLOSED, "the brace is never closed")
                            .at(node.span_within(at, at + 1), "opened here")
                            .help("close it with `}`; for a brace as text write `{{`"),
                    );
                    return None;
                };
                let inner = rest.get(1..length - 1).unwrap_or_default();
                if !literal.is_empty() {
                    parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
                }
                let place = Place::Scalar {
                    node,
                    offset: at + 1,
                };
                match self.template_part(inner, place, level) {
                    Some(part) => parts.push(part),
                    None => fine = false,
                }
                at += length;
            } else if rest.starts_with('}') {
                self.error(
                    Diagnostic::error(codes::SYNTAX, "a brace is closed that was never opened")
                        .at(node.span_within(at, at + 1), "closed here")
                        .help("open it with `{`; for a brace as text write `}}`"),
                );
                return None;
            } else {
                let length = rest.find(['{', '}']).unwrap_or(rest.len());
                literal.push_str(rest.get(..length).unwrap_or_default());
                at += length;
            }
        }
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        fine.then_some(Template { parts })
    }

    fn template_part(
        &mut self,
        text: &str,
        place: Place<'_>,
        level: usize,
    ) -> Option<TemplatePart> {
        let typed = self.expression_text(text, place, level)?;
        if !Target::Text.takes(&typed.gives) {
            self.error(
                Diagnostic::error(
                    codes::WRONG_TYPE,
                    format!(
                        "a template joins texts, but this gives {}",
                        typed.gives.described()
                    ),
                )
                .at(
                    typed.expr.span,
                    format!("gives {}", typed.gives.described()),
                )
                .help(Target::Text.remedy(&typed.gives)),
            );
            return None;
        }
        debug_assert!(typed.gives != Type::Bool, "text is never taken from a bool");
        Some(TemplatePart::Expression(typed.expr))
    }
}

/// The length of `{…}` at the beginning of a text, with its braces; quotes inside may hold braces.
fn expression_length(text: &str) -> Option<usize> {
    let mut quote = None;
    for (index, c) in text.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if c == '}' => return Some(index + 1),
            Some(_) | None => {}
        }
    }
    None
}
