//! Where signatures stand in a request, and which of them there are.

use std::borrow::Cow;

use http::HeaderValue;

use crate::verify::{
    Refusal,
    request::Request,
    settings::{Scheme, SignaturePlace, SignatureSettings},
};

/// A check against a public key takes a hundred times as long as a hash, so fewer are looked at: two while a key
/// rotates, and two more.
const MAX_PUBLIC_KEY_SIGNATURES: usize = 4;

/// A text that holds signatures.
pub(in crate::verify) struct Value<'a> {
    /// Which of the headers it stands in; 0 for every other place.
    pub(super) header: usize,
    pub(in crate::verify) text: Cow<'a, str>,
}

/// A signature as the sender wrote it.
pub(super) struct Signature<'a> {
    /// Which of the headers it stands in; 0 for every other place.
    pub(super) header: usize,
    pub(super) text: &'a str,
    /// Its bytes, for public keys, where it is written as the settings say.
    pub(super) bytes: Option<Vec<u8>>,
}

/// Whether the first key belongs to the first header, the second to the second, and so on. While there are fewer
/// keys than headers, as when one was taken out, nobody knows whose is missing, and each is tried with each.
pub(in crate::verify) fn is_paired(settings: &SignatureSettings, keys: usize) -> bool {
    let headers = settings.place.headers();
    headers.len() > 1 && headers.len() == keys
}

/// The texts that hold signatures: at least one that is not empty.
pub(super) fn values<'a>(
    settings: &SignatureSettings,
    request: &'a Request<'_>,
) -> Result<Vec<Value<'a>>, Refusal> {
    let first = |text| Value { header: 0, text };
    let values: Vec<_> = match &settings.place {
        SignaturePlace::Headers(names) => {
            let mut values = Vec::new();
            for (header, name) in names.iter().enumerate() {
                let texts: Vec<_> = if settings.format.may_repeat() {
                    request.headers.get_all(name).iter().collect()
                } else {
                    request.header(name)?.into_iter().collect()
                };
                for value in texts {
                    let text = Cow::Borrowed(text(value)?);
                    values.push(Value { header, text });
                }
            }
            values
        }
        SignaturePlace::Query(name) => decoded(request.query(name)?)?
            .map(first)
            .into_iter()
            .collect(),
        SignaturePlace::Form(name) => decoded(request.form(name)?)?
            .map(first)
            .into_iter()
            .collect(),
        SignaturePlace::Json(path) => {
            let texts = path.texts(request.json()?).unwrap_or_default();
            texts.into_iter().map(Cow::Borrowed).map(first).collect()
        }
    };
    if values.iter().all(|value| value.text.is_empty()) {
        return Err(Refusal::MissingSignature);
    }
    Ok(values)
}

fn text(value: &HeaderValue) -> Result<&str, Refusal> {
    value.to_str().map_err(|_| Refusal::MalformedSignature)
}

fn decoded(value: Option<Cow<'_, [u8]>>) -> Result<Option<Cow<'_, str>>, Refusal> {
    let text = |value: Cow<'_, [u8]>| String::from_utf8(value.into_owned()).map(Cow::Owned);
    value
        .map(text)
        .transpose()
        .map_err(|_| Refusal::MalformedSignature)
}

/// The signatures in these texts: at least one.
pub(super) fn signatures<'a>(
    settings: &SignatureSettings,
    values: &'a [Value<'_>],
) -> Result<Vec<Signature<'a>>, Refusal> {
    let is_public = matches!(settings.scheme, Scheme::PublicKey(_));
    let mut signatures = Vec::new();
    for value in values {
        let mut texts = Vec::new();
        if !value.text.is_empty() {
            settings.format.signatures(&value.text, &mut texts)?;
        }
        signatures.extend(texts.into_iter().map(|text| Signature {
            header: value.header,
            text,
            bytes: is_public.then(|| settings.encoding.read(text)).flatten(),
        }));
    }
    if signatures.is_empty() {
        return Err(settings.format.refusal_without_signature());
    }
    if is_public && signatures.len() > MAX_PUBLIC_KEY_SIGNATURES {
        return Err(Refusal::TooManySignatures);
    }
    Ok(signatures)
}
