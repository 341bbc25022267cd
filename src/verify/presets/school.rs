//! School systems. The rows are as [`table`](super::table) describes them.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[Preset {
    name: "edums",
    description: "EduMS: SHA-256 of date, action, URL reference, nonce and secret; the rest of the body is not signed",
    url: "https://acc-developers.edums.nl/webhook",
    settings: r#"type: digest
signature_json_path: webhookCallbackSecurity.hash
encoding: base64
signed: "{json:dateNotification}{json:action}{json:urlReference}{json:webhookCallbackSecurity.nonce}{secret}"
"#,
    dedup: PresetDedup::Expressions(&["webhookSubscriptionId", "webhookCallbackSecurity.nonce"]),
}];
