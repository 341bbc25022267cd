//! The rows, taken from the vendor's page or library that each of them names. Those of systems in `vectors.jsonl` are
//! also run against the requests there, published ones and ones derived from the documented rule.

use super::{Preset, PresetDedup};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "airtable",
        description: "Airtable: HMAC-SHA256 of the body; the secret is base64",
        url: "https://github.com/gtalarico/pyairtable",
        settings: r#"type: hmac
signature_header: X-Airtable-Content-MAC
signature_format: {style: prefix, prefix: "hmac-sha256="}
encoding: hex
signed: "{body}"
secret_encoding: base64
"#,
        dedup: PresetDedup::Expressions(&["webhook.id", "timestamp"]),
    },
    Preset {
        name: "bitrix24",
        description: "Bitrix24: the application token in the form; the body is not signed",
        url: "https://github.com/bitrix-tools/b24-rest-docs",
        settings: r#"type: token
token_source: "form:auth[application_token]"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "blackbaud-sky",
        description: "Blackbaud SKY API: a token in the URL; the body is not signed",
        url: "https://developer.blackbaud.com/skyapi/products/bbem/webhook/overview",
        settings: r#"type: token
token_source: "query:webhookKey"
"#,
        dedup: PresetDedup::Expressions(&["subject", "id"]),
    },
    Preset {
        name: "calendly",
        description: "Calendly: HMAC-SHA256 of time and body",
        url: "https://developer.calendly.com/api-docs/webhook-signatures",
        settings: r#"type: hmac
signature_header: Calendly-Webhook-Signature
signature_format: {style: pairs, key: v1}
encoding: hex
signed: "{timestamp}.{body}"
timestamp: {source: "pair:t", format: unix_s, tolerance: 3m}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "canvas-live-events",
        description: "Canvas Live Events with \"Sign payload\": the body is a token signed with Canvas's keys, and the event is inside",
        url: "https://guides.instructure.com/m/4214/l/1245281-how-do-i-configure-and-test-canvas-live-events-using-https-delivery",
        // Canvas has one set of keys for all schools.
        settings: r#"type: jwt
token_source: body
algorithms: [RS256]
jwks: {url: "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks"}
check_exp: false
claims: {of_source: [metadata.root_account_uuid]}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "close",
        description: "Close: HMAC-SHA256 of time and body; the signature key is hexadecimal",
        url: "https://developer.close.com/topics/webhooks/",
        settings: r#"type: hmac
signature_header: close-sig-hash
encoding: hex
signed: "{timestamp}{body}"
secret_encoding: hex
timestamp: {source: "header:close-sig-timestamp", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Expressions(&["event.id"]),
    },
    Preset {
        name: "dreamclass",
        description: "DreamClass: HMAC-SHA256 of the request id only; the rest of the body is not signed",
        url: "https://apidoc.dreamclass.io/dream-class-api/webhooks",
        settings: r#"type: hmac
signature_json_path: signature
encoding: base64
signed: "{json:id}"
"#,
        dedup: PresetDedup::Expressions(&["id"]),
    },
    Preset {
        name: "github",
        description: "GitHub: HMAC-SHA256 of the body",
        url: "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries",
        settings: r#"type: hmac
signature_header: X-Hub-Signature-256
signature_format: {style: prefix, prefix: "sha256="}
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Header("X-GitHub-Delivery"),
    },
    Preset {
        name: "google-pubsub",
        description: "Google Cloud Pub/Sub, pushed with authentication: a token signed with Google's keys; the body is not signed",
        url: "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
        // Everybody with an account at Google can have such tokens made; the e-mail address tells whose they are.
        settings: r#"type: jwt
token_source: "header:Authorization"
token_prefix: "Bearer "
algorithms: [RS256]
jwks: {url: "https://www.googleapis.com/oauth2/v3/certs"}
leeway: 1m
claims:
  iss: ["https://accounts.google.com", accounts.google.com]
  aud: "{url}"
  equal: {email_verified: true}
  of_source: [email]
"#,
        dedup: PresetDedup::Expressions(&["message.messageId"]),
    },
    Preset {
        name: "hubspot-v1",
        description: "HubSpot, signature version 1: SHA-256 of secret and body, without a time; somebody can append to a recorded body; prefer hubspot-v3",
        url: "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
        settings: r#"type: digest
signature_header: X-HubSpot-Signature
encoding: hex
signed: "{secret}{body}"
require_headers: [{name: X-HubSpot-Signature-Version, value: v1}]
"#,
        dedup: PresetDedup::Expressions(&[
            "portalId",
            "subscriptionId",
            "eventId",
            "objectId",
            "occurredAt",
            "propertyName ?? '-'",
        ]),
    },
    Preset {
        name: "hubspot-v3",
        description: "HubSpot, signature version 3: HMAC-SHA256 of method, public address, body and time",
        url: "https://developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation",
        settings: r#"type: hmac
signature_header: X-HubSpot-Signature-v3
encoding: base64
signed: "{method}{url_decoded}{body}{timestamp}"
timestamp: {source: "header:X-HubSpot-Request-Timestamp", format: unix_ms, tolerance: 5m}
"#,
        dedup: PresetDedup::Expressions(&[
            "portalId",
            "subscriptionId",
            "eventId",
            "objectId",
            "occurredAt",
            "propertyName ?? '-'",
        ]),
    },
    Preset {
        name: "inspera",
        description: "Inspera: HMAC-SHA1 of the body; how its first, validating request looks is not published, so it may need a `handshake`",
        url: "https://inspera.atlassian.net/wiki/spaces/KB/pages/664928482/Webhooks",
        settings: r#"type: hmac
algorithm: sha1
signature_header: X-Inspera-Signature
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "intercom",
        description: "Intercom: HMAC-SHA1 of the body with the client secret of the app",
        url: "https://developers.intercom.com/docs/webhooks",
        settings: r#"type: hmac
algorithm: sha1
signature_header: X-Hub-Signature
signature_format: {style: prefix, prefix: "sha1="}
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Expressions(&["id"]),
    },
    Preset {
        name: "line",
        description: "LINE: HMAC-SHA256 of the body with the channel secret",
        url: "https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/",
        settings: r#"type: hmac
signature_header: X-Line-Signature
encoding: base64
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "messagebird",
        description: "MessageBird: a token with the hashes of the public address and the body",
        url: "https://github.com/messagebird/python-rest-api",
        settings: r#"type: jwt
token_source: "header:MessageBird-Signature-JWT"
algorithms: [HS256, HS384, HS512]
leeway: 1s
claims:
  iss: MessageBird
  require: [nbf, exp]
  url_sha256_claim: url_hash
  body_sha256_claim: payload_hash
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "meta-whatsapp",
        description: "Meta and WhatsApp: HMAC-SHA256 of the body with the secret of the app",
        url: "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        settings: r#"type: hmac
signature_header: X-Hub-Signature-256
signature_format: {style: prefix, prefix: "sha256="}
encoding: hex
signed: "{body}"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "monday",
        description: "monday: a token for the public address, signed with the secret of the app; the body is not signed",
        url: "https://developer.monday.com/apps/docs/integration-authorization",
        settings: r#"type: jwt
token_source: "header:Authorization"
token_prefix: "Bearer "
algorithms: [HS256]
leeway: 1m
claims: {aud: "{url}"}
"#,
        dedup: PresetDedup::Expressions(&["event.triggerUuid"]),
    },
    Preset {
        name: "moodle",
        description: "Moodle with the plugin local_webhooks: a token in the body; the body is not signed",
        url: "https://github.com/valentineus/moodle-webhooks",
        settings: r#"type: token
token_source: "json:token"
"#,
        dedup: PresetDedup::Expressions(&["host", "eventname", "objectid", "timecreated"]),
    },
    Preset {
        name: "pipedrive",
        description: "Pipedrive: Basic authentication; the body is not signed",
        url: "https://pipedrive.readme.io/docs/guide-for-webhooks-v2",
        settings: "type: basic\n",
        dedup: PresetDedup::Expressions(&["meta.id"]),
    },
    Preset {
        name: "quinttos",
        description: "Quinttos: a token in a header; the body is not signed; set answer.body, since it wants {\"status\":\"ok\"}",
        url: "https://quinttos.zohodesk.com/portal/es/kb/articles/introducci%C3%B3n-11-9-2023",
        settings: r#"type: token
token_source: "header:X-Secret"
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "shopify",
        description: "Shopify: HMAC-SHA256 of the body with the secret of the app",
        url: "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        settings: r#"type: hmac
signature_header: X-Shopify-Hmac-Sha256
encoding: base64
signed: "{body}"
"#,
        dedup: PresetDedup::Header("X-Shopify-Webhook-Id"),
    },
    Preset {
        name: "shopify-events",
        description: "Shopify, its newer Events: HMAC-SHA256 of the body with the secret of the app, in headers without `X-`",
        url: "https://shopify.dev/docs/apps/build/events/verify-deliveries",
        settings: r#"type: hmac
signature_header: Shopify-Hmac-Sha256
encoding: base64
signed: "{body}"
"#,
        dedup: PresetDedup::Header("Shopify-Webhook-Id"),
    },
    Preset {
        name: "slack",
        description: "Slack: HMAC-SHA256 of version, time and body",
        url: "https://api.slack.com/authentication/verifying-requests-from-slack",
        settings: r#"type: hmac
signature_header: X-Slack-Signature
signature_format: {style: prefix, prefix: "v0="}
encoding: hex
signed: "v0:{timestamp}:{body}"
timestamp: {source: "header:X-Slack-Request-Timestamp", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Expressions(&["event_id"]),
    },
    Preset {
        name: "square",
        description: "Square: HMAC-SHA256 of the public address and the body",
        url: "https://developer.squareup.com/docs/webhooks/step3validate",
        settings: r#"type: hmac
signature_header: x-square-hmacsha256-signature
encoding: base64
signed: "{url}{body}"
"#,
        dedup: PresetDedup::Expressions(&["event_id"]),
    },
    Preset {
        name: "standard-webhooks",
        description: "Standard Webhooks: HMAC-SHA256 of id, time and body; secrets begin with `whsec_`",
        url: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        settings: r#"type: hmac
signature_header: webhook-signature
signature_format: {style: list, version: v1}
encoding: base64
signed: "{id}.{timestamp}.{body}"
secret_encoding: whsec
timestamp: {source: "header:webhook-timestamp", format: unix_s, tolerance: 5m}
id_header: webhook-id
"#,
        dedup: PresetDedup::Header("webhook-id"),
    },
    Preset {
        name: "stripe",
        description: "Stripe: HMAC-SHA256 of time and body; the whole secret, with its `whsec_`, is the key",
        url: "https://docs.stripe.com/webhooks#verify-manually",
        settings: r#"type: hmac
signature_header: Stripe-Signature
signature_format: {style: pairs, key: v1}
encoding: hex
signed: "{timestamp}.{body}"
timestamp: {source: "pair:t", format: unix_s, tolerance: 5m}
"#,
        dedup: PresetDedup::Expressions(&["id"]),
    },
    Preset {
        name: "svix",
        description: "Svix: Standard Webhooks with header names of its own",
        url: "https://docs.svix.com/receiving/verifying-payloads/how-manual",
        settings: r#"type: hmac
signature_header: svix-signature
signature_format: {style: list, version: v1}
encoding: base64
signed: "{id}.{timestamp}.{body}"
secret_encoding: whsec
timestamp: {source: "header:svix-timestamp", format: unix_s, tolerance: 5m}
id_header: svix-id
"#,
        dedup: PresetDedup::Header("svix-id"),
    },
    Preset {
        name: "twilio",
        description: "Twilio: HMAC-SHA1 of the public address and the sorted form fields",
        url: "https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        settings: r#"type: hmac
algorithm: sha1
signature_header: X-Twilio-Signature
encoding: base64
signed: "{url}{form_sorted}"
url_port_variants: true
body_digest_query: bodySHA256
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "typeform",
        description: "Typeform: HMAC-SHA256 of the body",
        url: "https://www.typeform.com/developers/webhooks/secure-your-webhooks/",
        settings: r#"type: hmac
signature_header: Typeform-Signature
signature_format: {style: prefix, prefix: "sha256="}
encoding: base64
signed: "{body}"
"#,
        dedup: PresetDedup::Expressions(&["event_id"]),
    },
    Preset {
        name: "zendesk",
        description: "Zendesk: HMAC-SHA256 of time and body",
        url: "https://developer.zendesk.com/documentation/webhooks/verifying/",
        settings: r#"type: hmac
signature_header: X-Zendesk-Webhook-Signature
encoding: base64
signed: "{timestamp}{body}"
timestamp: {source: "header:X-Zendesk-Webhook-Signature-Timestamp", format: rfc3339, tolerance: 5m}
"#,
        dedup: PresetDedup::Body,
    },
    Preset {
        name: "zoho-crm",
        description: "Zoho CRM notifications: a token in the body; the body is not signed",
        url: "https://help.zoho.com/portal/en/community/topic/kaizen-14-notification-api",
        settings: r#"type: token
token_source: "json:token"
"#,
        dedup: PresetDedup::Expressions(&["channel_id", "operation", "ids", "server_time"]),
    },
];
