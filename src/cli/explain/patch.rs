//! What would go to Quentli, exactly as its client would send it.

use serde::Serialize;

use crate::{
    customer::{CustomerId, Patch},
    diag::visible,
    quentli::{BaseUrl, UpdateRequest},
};

/// The path of a customer.
pub(super) fn path(id: &str) -> String {
    match id.parse::<CustomerId>() {
        Ok(id) => UpdateRequest::address(&BaseUrl::default(), &id)
            .path()
            .to_owned(),
        // Tests may name anybody.
        Err(_) => format!("/v1/customers/{id}"),
    }
}

/// The body of a change.
pub(super) fn update(patch: &Patch) -> impl Serialize {
    UpdateRequest::new(patch)
}

/// A body on a screen: the JSON that is sent, in which everything that cannot be seen is an escape.
pub(super) fn visible_json(body: &impl Serialize) -> String {
    let body = serde_json::to_string(body).expect("a body is JSON");
    let mut out = String::with_capacity(body.len());
    for c in body.chars() {
        // Behind a letter, as accents stand that are characters of their own.
        let text = String::from_iter(['a', c]);
        if visible(&text) == text {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        let units = c.encode_utf16(&mut units).iter();
        out.extend(units.map(|unit| format!("\\u{unit:04x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::customer::{Field, FieldValue};

    #[test]
    fn a_body_is_shown_as_the_json_it_is_with_nothing_hidden() {
        let name = "Jose\u{301} \"O'Hara\" \\ \u{a0}\u{202e}\u{9b}\u{1f469}\u{e0001}";
        let mut patch = Patch::new();
        patch
            .set(Field::Name, FieldValue::Text(name.to_owned()))
            .unwrap();
        let shown = visible_json(&update(&patch));
        assert_eq!(
            shown,
            "{\"input\":{\"data\":{\"name\":\"Jose\u{301} \\\"O'Hara\\\" \\\\ \\u00a0\\u202e\\u009b\u{1f469}\\udb40\\udc01\"}}}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            serde_json::to_value(update(&patch)).unwrap()
        );
    }

    #[test]
    fn a_path_holds_the_identifier_as_one_segment() {
        assert_eq!(path("cus_1"), "/v1/customers/cus_1");
        assert_eq!(path("a/b?c"), "/v1/customers/a%2Fb%3Fc");
    }
}
