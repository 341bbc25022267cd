//! Every shipped source file with every shipped sample, through the whole gateway: signed as its sender signs, answered
//! as its sender wants, and brought to Quentli as the file's own tests say.
//!
//! Nothing here names a file, so that a new one cannot be forgotten; only what a sender wants otherwise does.

mod expectation;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{self, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use quentli_gateway::{
    clock::Clock,
    config::{Environment, SecretReference},
    sandbox::{Running, Sandbox, Settings},
    sender::{Stored, TestEvent, sign, sign_with},
    source::{
        Source, SourceFile, UnreadableSamples, content_type_of, find_files, receive::Receive,
    },
    verify::PrivateKey,
};
use serde_json::Value;

use self::expectation::{Expectation, Fields, fields};
use crate::{
    schema::Checker,
    support::executable::{Gateway, Setup},
};

/// The first line of each file: editors find the list of keys by it.
const MODELINE: &str = "# yaml-language-server: $schema=source.schema.json\n";

/// Some senders sign the address that was registered with them.
const PUBLIC_URL: &str = "https://hooks.colegio.example";

/// Samples whose content type is not the one of their ending.
const CONTENT_TYPES: [(&str, &str); 2] = [
    (
        "blackbaud-sky",
        "application/cloudevents+json; charset=utf-8",
    ),
    ("salesforce-outbound-message", "text/xml; charset=utf-8"),
];

/// The answers that senders insist on, with their content type. All others get the gateway's own.
const ANSWERS: [(&str, &str, &str); 1] = [(
    "salesforce-outbound-message",
    "text/xml; charset=utf-8",
    r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"#,
)];

/// A sample that comes after another one and is the same event to its sender, though its bytes differ.
const REPETITIONS: [(&str, &str, &str); 3] = [
    ("hubspot", "contact-two-properties.json", "redelivery.json"),
    ("pipedrive", "person-changed.json", "redelivery.json"),
    (
        "salesforce-outbound-message",
        "contact-updated.xml",
        "redelivery-latest-data.xml",
    ),
];

fn mappings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")
}

/// The shipped files, by the name of the source.
fn files() -> BTreeMap<String, String> {
    let files = find_files(&mappings()).unwrap();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// The names of what stands in a folder.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

/// The sending side of a file that receives under `name`.
fn arm(name: &str, text: &str) -> Source {
    let read = |path: &str| fs::read(mappings().join(path));
    let file = SourceFile::check(
        &format!("{name}.yaml"),
        name,
        text.to_owned(),
        &read,
        UnreadableSamples::Refuse,
    );
    assert!(!file.findings.has_errors(), "{:#?}", file.findings);
    let checked = file.checked.unwrap();
    let keys = checked.receive().verify.key_set();
    let folder = tempfile::tempdir().unwrap();
    if keys.is_some() {
        fs::write(folder.path().join(KEYS), &key_pair().1).unwrap();
    }
    let environment: Environment = secrets(checked.receive())
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    checked.arm(&environment, folder.path()).unwrap()
}

/// The file with the public keys of senders that sign with a key pair, beside the settings.
const KEYS: &str = "keys.pem";

/// Such a key pair, in PEM. The senders' own private keys are not ours to have.
fn key_pair() -> &'static (PrivateKey, String) {
    static PAIR: OnceLock<(PrivateKey, String)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pem = |label: &str, der: &[u8]| {
            let base64 = STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
        };
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let private = pem("PRIVATE KEY", private.as_ref());
        let public = pair.public_key().as_der().unwrap();
        let private = PrivateKey::read(&private.into()).unwrap();
        (private, pem("PUBLIC KEY", public.as_ref()))
    })
}

/// With keys of ours in the place of those that a sender publishes.
fn with_our_keys(name: &str, text: &str) -> String {
    if arm(name, text).receive().verify.needs_key_set() {
        let own = format!("receive:\n  jwks: {{file: {KEYS}}}\n");
        text.replacen("receive:\n", &own, 1)
    } else {
        text.to_owned()
    }
}

/// The variables that hold a source's secrets, with values that have the form they need.
fn secrets(receive: &Receive) -> Vec<(String, &'static str)> {
    let value = match receive.verify.type_name() {
        "basic" => "quentli:c0dec0de",
        // Text, hexadecimal and base64 at once.
        _ => "c0dec0dec0dec0dec0dec0dec0dec0de",
    };
    let name = |reference: &SecretReference| match reference {
        SecretReference::Environment(name) => name.clone(),
        SecretReference::File(path) => panic!("a shipped file names {}", path.display()),
    };
    let secrets = receive.secrets.iter();
    secrets
        .map(|secret| (name(&secret.reference), value))
        .collect()
}

/// One sample, with a source and a Quentli of its own: what other samples did is unknown there.
struct Case {
    /// The shipped file.
    shipped: String,
    /// The name of the sample's file.
    sample: String,
    /// The sending side.
    source: Source,
    sandbox: Sandbox,
    quentli: Running,
    expected: Expectation,
}

impl Case {
    async fn new(shipped: &str, text: &str, sample: String, number: usize) -> (Self, String) {
        let name = format!("{shipped}-{number}");
        let own = format!("source: {name}\nquentli: {name}\n");
        let text = text.replacen(&format!("source: {shipped}\n"), &own, 1);
        let expected = Expectation::of(&text, &format!("samples/{shipped}/{sample}"));
        let sandbox = Sandbox::new(Settings::default());
        for customer in &expected.customers {
            sandbox.add(customer).unwrap();
        }
        let quentli = sandbox.start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let case = Self {
            shipped: shipped.to_owned(),
            sample,
            source: arm(&name, &text),
            sandbox,
            quentli,
            expected,
        };
        (case, text)
    }

    fn label(&self) -> String {
        format!("{}/{}", self.shipped, self.sample)
    }

    fn event(&self, sample: &str) -> TestEvent {
        let path = mappings().join("samples").join(&self.shipped).join(sample);
        let own = CONTENT_TYPES.iter().find(|(name, _)| *name == self.shipped);
        let by_ending = content_type_of(&path).unwrap_or("application/json");
        let content_type = own.map_or(by_ending, |(_, content_type)| content_type);
        let id = format!("event-of-{}", self.sample);
        TestEvent::new(&id, content_type, fs::read(path).unwrap())
    }

    /// Sends a sample, signed anew, and looks at the answer.
    async fn send(&self, gateway: &Gateway, sample: &str, word: &str) {
        let public = PUBLIC_URL.parse().unwrap();
        let (event, now) = (self.event(sample), Clock::system().now());
        let signed = if self.source.receive().verify.needs_key_set() {
            sign_with(&self.source, &event, &public, now, &key_pair().0)
        } else {
            sign(&self.source, &event, &public, now)
        };
        let outgoing = signed.unwrap();
        let there = outgoing.url.strip_prefix(PUBLIC_URL).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(format!(
                "{}{there}",
                gateway.url().as_str().trim_end_matches('/')
            ))
            .headers(outgoing.headers)
            .body(outgoing.body);
        let mut answer = request.send().await.unwrap();
        let label = self.label();
        let status = answer.status();
        let content_type = answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .to_owned();
        let body = answer.chunk().await.unwrap().unwrap_or_default();
        let body = std::str::from_utf8(&body).unwrap();
        assert!(status.is_success(), "{label}: {status}: {body}");
        let wanted = ANSWERS.iter().find(|(name, ..)| *name == self.shipped);
        if let Some((_, kind, text)) = wanted {
            let said = (content_type.as_str(), body);
            assert_eq!(said, (*kind, *text), "{label}");
        } else {
            let stored: Stored = serde_json::from_str(body).expect(&label);
            assert_eq!(stored.status, word, "{label}");
        }
    }

    /// What reached Quentli, as far as it was applied; later values of a field go over earlier ones.
    fn applied(&self) -> BTreeMap<String, Fields> {
        let mut applied: BTreeMap<String, Fields> = BTreeMap::new();
        for exchange in self.sandbox.exchanges() {
            if exchange.method == "PATCH" && exchange.applied {
                let body: Value = serde_json::from_slice(&exchange.request).unwrap();
                let customer = applied.entry(exchange.customer.unwrap()).or_default();
                customer.extend(fields(&body["input"]["data"]));
            }
        }
        applied
    }
}

/// A gateway that serves each sample of these files, started.
async fn start(files: BTreeMap<String, String>) -> (Gateway, Vec<Case>) {
    let mut setup = Setup::new("http://127.0.0.1:9").variable("GATEWAY_PUBLIC_URL", PUBLIC_URL);
    let mut settings = String::from("quentli:\n");
    let mut cases = Vec::new();
    for (shipped, text) in files {
        let text = with_our_keys(&shipped, &text);
        for (variable, value) in secrets(arm(&shipped, &text).receive()) {
            setup = setup.variable(&variable, value);
        }
        let samples = names_in(&mappings().join("samples").join(&shipped));
        for (number, sample) in samples.into_iter().enumerate() {
            let (case, text) = Case::new(&shipped, &text, sample, number).await;
            let name = case.source.name();
            setup = setup.source(name.as_str(), &text);
            writeln!(
                settings,
                "  {name}: {{url: '{}', key: {{env: QUENTLI_API_KEY}}, rate: 5000}}",
                case.quentli.url()
            )
            .unwrap();
            cases.push(case);
        }
    }
    fs::write(setup.folder().join(KEYS), &key_pair().1).unwrap();
    // The tests inside the files read the samples when they are loaded.
    std::os::unix::fs::symlink(
        mappings().join("samples"),
        setup.folder().join("mappings/samples"),
    )
    .unwrap();
    (setup.settings(&settings).start(), cases)
}

#[test]
fn every_file_has_samples_and_is_known_to_editors() {
    let files = files();
    for (name, text) in &files {
        assert!(text.starts_with(MODELINE), "{name}.yaml");
    }
    let mut folders = names_in(&mappings().join("samples"));
    assert!(folders.remove("README.md"));
    assert_eq!(folders, files.into_keys().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_answered_and_delivered_as_its_file_says_and_only_once() {
    let (gateway, cases) = start(files()).await;
    for case in &cases {
        case.send(&gateway, &case.sample, "accepted").await;
    }
    let totals = gateway.settled().await;
    let checker = Checker::new();
    for case in &cases {
        assert_eq!(case.applied(), case.expected.patches, "{}", case.label());
        let problems = checker.problems(&case.sandbox.exchanges());
        assert!(problems.is_empty(), "{problems:#?}");
        case.sandbox.forget_exchanges();
    }
    let sum =
        |of: fn(&Expectation) -> u64| cases.iter().map(|case| of(&case.expected)).sum::<u64>();
    assert_eq!(
        totals["ended"]["dropped"],
        sum(|expected| expected.drops),
        "{totals}"
    );
    assert_eq!(totals["dead"], sum(|expected| expected.fails), "{totals}");

    for case in &cases {
        case.send(&gateway, &case.sample, "duplicate").await;
    }
    let again = gateway.settled().await;
    assert_eq!(again["duplicate"], cases.len(), "{again}");
    assert_eq!(again["created"], totals["created"], "{again}");
    for case in cases {
        assert!(case.sandbox.exchanges().is_empty(), "{}", case.label());
        case.quentli.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_whose_bytes_differ_is_a_duplicate() {
    let mut files = files();
    files.retain(|name, _| REPETITIONS.iter().any(|(shipped, ..)| shipped == name));
    let (gateway, cases) = start(files).await;
    for (shipped, first, repetition) in REPETITIONS {
        let mut of_first = cases
            .iter()
            .filter(|case| case.shipped == shipped && case.sample == first);
        let case = of_first.next().unwrap();
        assert_ne!(
            case.event(first).body,
            case.event(repetition).body,
            "{shipped}"
        );
        case.send(&gateway, first, "accepted").await;
        case.send(&gateway, repetition, "duplicate").await;
    }
    let totals = gateway.settled().await;
    assert_eq!(totals["duplicate"], REPETITIONS.len(), "{totals}");
    for case in cases {
        case.quentli.stop().await;
    }
}
