//! Payments. The rows are as [`table`](super::table) describes them.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "adyen-platform",
        description: "Adyen for Platforms: HMAC-SHA256 of the body; the key is hexadecimal",
        url: "https://github.com/Adyen/adyen-python-api-library",
        settings: r#"type: hmac
signature_header: HmacSignature
encoding: base64
signed: "{body}"
secret_encoding: hex
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "conekta",
        description: "Conekta: an RSA signature of the body, taken to be of the kind PKCS#1 v1.5 with SHA-256, since the page does not say",
        url: "https://developers.conekta.com/docs/autenticaci%C3%B3n-webhooks",
        settings: r#"type: public-key
algorithm: rsa-pkcs1-sha256
signature_header: DIGEST
encoding: base64
signed: "{body}"
"#,
        dedup: PresetDedup::Expressions(&["id"]),
    },
    Preset {
        name: "gocardless",
        description: "GoCardless: HMAC-SHA256 of the body with the secret of the endpoint",
        url: "https://github.com/gocardless/gocardless-pro-python",
        settings: r#"type: hmac
signature_header: Webhook-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "mercado-pago",
        description: "Mercado Pago: HMAC-SHA256 of the id in the URL, the request id and a time, with no time limit; the body is not signed",
        url: "https://github.com/mercadopago/sdk-nodejs/blob/master/src/utils/webhook/index.ts",
        settings: r#"type: hmac
signature_header: x-signature
signature_format: {style: pairs, key: v1}
encoding: hex
signed: "[id:{query:data.id};][request-id:{header:x-request-id};]ts:{timestamp};"
timestamp: {source: "pair:ts", format: opaque}
"#,
        dedup: PresetDedup::Expressions(&["id"]),
    },
    Preset {
        name: "paddle",
        description: "Paddle Billing: HMAC-SHA256 of time and body; not older than 5 seconds, so keep the clock right",
        url: "https://github.com/PaddleHQ/paddle-python-sdk",
        settings: r#"type: hmac
signature_header: Paddle-Signature
signature_format: {style: pairs, key: h1, item_sep: ";"}
encoding: hex
signed: "{timestamp}:{body}"
timestamp: {source: "pair:ts", format: unix_s, tolerance: 5s}
"#,
        dedup: PresetDedup::Expressions(&["event_id"]),
    },
    Preset {
        name: "razorpay",
        description: "Razorpay: HMAC-SHA256 of the body with the secret of the webhook",
        url: "https://github.com/razorpay/razorpay-python",
        settings: r#"type: hmac
signature_header: X-Razorpay-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
];
