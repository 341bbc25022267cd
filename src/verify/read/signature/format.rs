//! Reads how signatures are written.

use crate::{
    diag::Collector,
    verify::{
        format::SignatureFormat,
        read::{
            CODES,
            value::{Read, Reported, optional_text, report, required_text, text_or, unknown_word},
        },
    },
    yaml::{KeyReader, Node},
};

pub(super) fn signature_format(node: &Node, out: &mut Collector) -> Read<SignatureFormat> {
    const STYLES: [&str; 4] = ["plain", "prefix", "pairs", "list"];
    if node.as_text() == Some("plain") {
        return Ok(SignatureFormat::Plain);
    }
    let mut keys = KeyReader::new(node, "signature_format", CODES, out).ok_or(Reported)?;
    let (style, style_node) = keys
        .require_text(
            "style",
            "write `style: prefix`, `pairs` or `list`; or `signature_format: plain`",
            out,
        )
        .ok_or(Reported)?;
    let format = match style {
        "plain" => Ok(SignatureFormat::Plain),
        "prefix" => {
            let prefix = required_text(
                &mut keys,
                "prefix",
                "write what stands before the signature, such as `prefix: \"sha256=\"`",
                out,
            );
            let separator = optional_text(&mut keys, "item_sep", out);
            prefix.and_then(|prefix| {
                Ok(SignatureFormat::Prefix {
                    prefix,
                    separator: separator?.map(|(text, _)| text.to_owned()),
                })
            })
        }
        "pairs" => {
            let key = required_text(
                &mut keys,
                "key",
                "write the key of the signature's pair, such as `key: v1`",
                out,
            );
            let separator = text_or(&mut keys, "item_sep", ",", out);
            let assign = text_or(&mut keys, "kv_sep", "=", out);
            key.and_then(|key| {
                Ok(SignatureFormat::Pairs {
                    separator: separator?,
                    assign: assign?,
                    key,
                })
            })
        }
        "list" => {
            let version = required_text(
                &mut keys,
                "version",
                "write what marks the signature in the list, such as `version: v1`",
                out,
            );
            let separator = text_or(&mut keys, "item_sep", " ", out);
            let assign = text_or(&mut keys, "version_sep", ",", out);
            version.and_then(|version| {
                Ok(SignatureFormat::List {
                    separator: separator?,
                    assign: assign?,
                    version,
                })
            })
        }
        _ => {
            return report(out, unknown_word(style_node, "a style", style, &STYLES));
        }
    };
    keys.finish(out);
    format
}
