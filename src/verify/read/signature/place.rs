//! Reads where signatures stand.

use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        read::{
            CODES,
            value::{
                BAD_VALUE, Read, header_name, json_path, optional_header, optional_text, report,
            },
        },
        settings::SignaturePlace,
    },
    yaml::{KeyReader, Node},
};

/// As many as a request has secrets at most.
const MAX_HEADERS: usize = crate::verify::MAX_SECRETS;

/// Reads the one key that says where.
pub(super) fn signature_place(
    keys: &mut KeyReader<'_>,
    node: &Node,
    out: &mut Collector,
) -> Read<SignaturePlace> {
    let header = optional_header(keys, "signature_header", out);
    let headers = headers(keys, out);
    let query = optional_text(keys, "signature_query", out);
    let form = optional_text(keys, "signature_form", out);
    let path = json(keys, out);
    let owned = |text: (&str, &Node)| text.0.to_owned();
    let places: Vec<_> = [
        header?.map(|name| SignaturePlace::Headers(vec![name])),
        headers?,
        query?.map(owned).map(SignaturePlace::Query),
        form?.map(owned).map(SignaturePlace::Form),
        path?,
    ]
    .into_iter()
    .flatten()
    .collect();
    match <[_; 1]>::try_from(places) {
        Ok([place]) => Ok(place),
        Err(places) => report(
            out,
            Diagnostic::error(
                CODES.missing,
                if places.is_empty() {
                    "verify needs to know where the signature is"
                } else {
                    "the signature is in one place, not in several"
                },
            )
            .at(node.span, "one of them is needed")
            .help(
                "give one of `signature_header`, `signature_headers`, `signature_query`, `signature_form` and \
                 `signature_json_path`",
            ),
        ),
    }
}

fn headers(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Option<SignaturePlace>> {
    let Some(entry) = keys.take("signature_headers") else {
        return Ok(None);
    };
    let node = &entry.value;
    let nodes = node.as_list().unwrap_or_default();
    if !(2..=MAX_HEADERS).contains(&nodes.len()) {
        return report(
            out,
            Diagnostic::error(
                CODES.shape,
                format!("`signature_headers` takes a list of 2 to {MAX_HEADERS} headers"),
            )
            .at(node.span, "not such a list")
            .help("for one header write `signature_header: NAME`"),
        );
    }
    let read: Vec<_> = nodes
        .iter()
        .map(|node| match node.as_text() {
            Some(text) => header_name(text, node, out).map(|name| (name, node)),
            None => report(
                out,
                Diagnostic::error(
                    CODES.shape,
                    format!(
                        "the name of a header is a text, but here is {}",
                        node.shape()
                    ),
                )
                .at(node.span, "expected a text"),
            ),
        })
        .collect();
    let mut names = Vec::new();
    for read in read {
        let (name, node) = read?;
        if names.contains(&name) {
            return report(
                out,
                Diagnostic::error(BAD_VALUE, format!("`{name}` stands here twice"))
                    .at(node.span, "again")
                    .help("each secret has a header of its own"),
            );
        }
        names.push(name);
    }
    Ok(Some(SignaturePlace::Headers(names)))
}

fn json(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<Option<SignaturePlace>> {
    let Some((text, node)) = optional_text(keys, "signature_json_path", out)? else {
        return Ok(None);
    };
    let path = json_path(text, node, out)?;
    if path.is_many() {
        return report(
            out,
            Diagnostic::error(BAD_VALUE, "a request has one signature")
                .at(node.span, "leads to many values"),
        );
    }
    Ok(Some(SignaturePlace::Json(path)))
}
