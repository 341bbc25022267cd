//! Reads the settings of client certificates.

use std::sync::Arc;

use super::{
    CODES,
    value::{BAD_VALUE, Read, Reported, choice, header_name, report},
};
use crate::{
    diag::{Collector, Diagnostic},
    verify::{
        MAX_SECRETS,
        certificate::{
            Allowed, CertificateFormat, CertificateSettings, Fingerprint, Identity,
            fingerprint_of_pem,
        },
        until,
    },
    yaml::{KeyReader, Node},
};

pub(super) fn read(keys: &mut KeyReader<'_>, out: &mut Collector) -> Read<CertificateSettings> {
    let header = match keys.require_text(
        "header",
        "write the header that your proxy puts the certificate into, such as X-Client-Cert",
        out,
    ) {
        Some((text, node)) => header_name(text, node, out),
        None => Err(Reported),
    };
    let format = choice(
        keys,
        "format",
        "a format of certificates",
        &CertificateFormat::ALL,
        None,
        out,
    );
    let help = "write the SHA-256 fingerprints of the certificates that may be shown";
    let entry = keys.require("allowed", help, out);
    let (header, format) = (header?, format?);
    let allowed = allowed(&entry.ok_or(Reported)?.value, format, out)?;
    Ok(CertificateSettings {
        header,
        format,
        allowed,
    })
}

/// One certificate, or a list of them.
fn allowed(node: &Node, format: CertificateFormat, out: &mut Collector) -> Read<Vec<Allowed>> {
    let nodes = node.as_list().unwrap_or(std::slice::from_ref(node));
    if nodes.is_empty() || nodes.len() > MAX_SECRETS {
        return report(
            out,
            Diagnostic::error(
                BAD_VALUE,
                format!("`allowed` takes 1 to {MAX_SECRETS} certificates"),
            )
            .at(node.span, "none, or too many")
            .help("a rotation needs two: the new one, and the old one with `until`"),
        );
    }
    let read: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| certificate(index, node, format, out))
        .collect();
    read.into_iter().collect()
}

/// A text, or `{text: …, until: …}`.
fn certificate(
    index: usize,
    node: &Node,
    format: CertificateFormat,
    out: &mut Collector,
) -> Read<Allowed> {
    let (identity, until) = if node.as_map().is_some() {
        let mut keys = KeyReader::new(node, "a certificate", CODES, out).ok_or(Reported)?;
        let text = keys.require_text(
            "text",
            "write `{text: FINGERPRINT, until: 2026-12-31}`",
            out,
        );
        let identity = text
            .ok_or(Reported)
            .and_then(|(_, node)| identity(node, format, out));
        let until = match keys.take("until") {
            None => Ok(None),
            Some(entry) => until(&entry.value, out).map(Some).ok_or(Reported),
        };
        keys.finish(out);
        (identity?, until?)
    } else {
        (identity(node, format, out)?, None)
    };
    let name = match &identity {
        Identity::Fingerprint(fingerprint) => fingerprint.name(),
        Identity::Subject(_) => format!("subject:{}", index + 1),
    };
    Ok(Allowed {
        identity,
        until,
        name: Arc::from(name),
    })
}

fn identity(node: &Node, format: CertificateFormat, out: &mut Collector) -> Read<Identity> {
    let text = node.as_text().filter(|_| !node.is_null()).map(str::trim);
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return report(
            out,
            Diagnostic::error(
                CODES.shape,
                format!("a certificate is a text, but here is {}", node.shape()),
            )
            .at(node.span, "expected a fingerprint"),
        );
    };
    if format == CertificateFormat::Subject {
        return Ok(Identity::Subject(text.to_owned()));
    }
    // As OpenSSL prints it, with its name in front.
    let bare = text.rsplit_once('=').map_or(text, |(_, rest)| rest);
    let fingerprint = Fingerprint::parse(bare).or_else(|| fingerprint_of_pem(text));
    if let Some(fingerprint) = fingerprint {
        return Ok(Identity::Fingerprint(fingerprint));
    }
    let digits = text.chars().filter(char::is_ascii_hexdigit).count();
    let label = if digits == 40 {
        "as long as a SHA-1 fingerprint"
    } else {
        "not 64 hexadecimal digits"
    };
    report(
        out,
        Diagnostic::error(BAD_VALUE, "this is not the SHA-256 fingerprint of a certificate")
            .at(node.span, label)
            .help("`openssl x509 -in FILE -noout -fingerprint -sha256` shows it; or write the certificate itself, in PEM"),
    )
}
