//! Other services. The rows are as [`table`](super::table) describes them.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "asana",
        description: "Asana: HMAC-SHA256 of the body with the secret that Asana gave when the webhook was made",
        url: "https://developers.asana.com/docs/webhooks-guide",
        settings: r#"type: hmac
signature_header: X-Hook-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "bitbucket",
        description: "Bitbucket Cloud: HMAC-SHA256 of the body",
        url: "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        settings: r#"type: hmac
signature_header: X-Hub-Signature
signature_format: {style: prefix, prefix: "sha256="}
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "box",
        description: "Box: HMAC-SHA256 of body and time with a primary and a secondary key, in this order; not older than 10 minutes, and not from the future",
        url: "https://github.com/box/box-python-sdk",
        settings: r#"type: hmac
signature_headers: [BOX-SIGNATURE-PRIMARY, BOX-SIGNATURE-SECONDARY]
encoding: base64
signed: "{body}{timestamp}"
timestamp: {source: "header:BOX-DELIVERY-TIMESTAMP", format: rfc3339, tolerance: 10m, future_tolerance: 0s}
require_headers: [{name: BOX-SIGNATURE-VERSION, value: 1}, {name: BOX-SIGNATURE-ALGORITHM, value: HmacSHA256}]
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "gitlab",
        description: "GitLab: the secret token in a header; the body is not signed",
        url: "https://docs.gitlab.com/user/project/integrations/webhooks/",
        settings: r#"type: token
token_source: "header:X-Gitlab-Token"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "sendgrid",
        description: "SendGrid: an ECDSA signature of time and body, with no time limit",
        url: "https://github.com/sendgrid/sendgrid-python",
        settings: r#"type: public-key
algorithm: ecdsa-p256-sha256-der
signature_header: X-Twilio-Email-Event-Webhook-Signature
encoding: base64
signed: "{timestamp}{body}"
timestamp: {source: "header:X-Twilio-Email-Event-Webhook-Timestamp", format: opaque}
"#,
        dedup: PresetDedup::Expressions(&["sg_event_id"]),
    },
    Preset {
        name: "zoom",
        description: "Zoom: HMAC-SHA256 of version, time and body with the secret token of the app",
        url: "https://github.com/zoom/webhook-sample",
        settings: r#"type: hmac
signature_header: x-zm-signature
signature_format: {style: prefix, prefix: "v0="}
encoding: hex
signed: "v0:{timestamp}:{body}"
timestamp: {source: "header:x-zm-request-timestamp", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Body,
    },
];
