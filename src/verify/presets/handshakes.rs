//! How the senders of some presets register an address, from the page of their preset unless another is named. A sender
//! that is not here registers an address without asking it anything.

/// The name of a preset, and the settings of its handshake as YAML.
pub(super) const HANDSHAKES: &[(&str, &str)] = &[
    ("asana", "header-echo"),
    // https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md, section 4; the key in the address
    // must be right, as for events.
    ("blackbaud-sky", "cloudevents"),
    // A request of this name when the address is registered, with the key like any event.
    (
        "dataverse",
        "{kind: plain-200, methods: [], tests: [{header: x-ms-dynamics-request-name, value: URL_VALIDATION}]}",
    ),
    // A `ping` is signed like any event. There is no look at the address before it.
    (
        "github",
        "{kind: plain-200, methods: [], tests: [{header: X-GitHub-Event, value: ping}]}",
    ),
    // A HEAD when the address is entered. The signed `ping` of the test button is an event, for the rules to see.
    ("intercom", "{kind: plain-200, methods: [HEAD]}"),
    // The vendor looks at the address with a GET when it is entered.
    ("mailchimp", "{kind: plain-200, methods: [GET]}"),
    (
        "meta-whatsapp",
        "{kind: echo-query, parameter: hub.challenge, verify_parameter: hub.verify_token, require: {hub.mode: subscribe}}",
    ),
    // https://developer.monday.com/api-reference/docs/webhooks
    ("monday", "echo-json"),
    (
        "ms-graph",
        "{kind: echo-query, parameter: validationToken, method: POST}",
    ),
    // https://docs.slack.dev/reference/events/url_verification
    (
        "slack",
        "{kind: echo-json, require: {type: url_verification}, beside: [token]}",
    ),
    ("zoom", "hmac-token"),
];
