//! Every finding that `check` can have, as a person reads it: all on one page, in `snapshots/`.
//!
//! A case is a good file with one passage changed. Its findings of the named code are shown; whatever else the change
//! brings along is left to the cases of other codes.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use super::super::{SourceFile, UnreadableSamples};
use crate::diag::{Findings, Style, render_json, render_lines, render_report};

const GOOD: &str = "mapping: 1
source: crm
receive:
  verify:
    type: hmac
    signature_header: X-Signature
    encoding: hex
  secrets: [{env: CRM_SECRET}]
  dedup: body
otherwise: drop
tables:
  level: {PRI: Primaria, SEC: Secundaria}
rules:
  - name: connection test
    when: type == 'ping'
    drop: connection test
  - name: contact changed
    when: type == 'contact.updated'
    customer:
      id: contact.quentliId
      find:
        - username: contact.number
      on_missing: fail
    set:
      name: contact.name | squeeze | title
      phoneNumber: contact.phone | phone
      metadata:
        Nivel: contact.level | lookup(level)
tests:
  - name: pings are dropped
    event: {type: ping}
    expect:
      - drop: connection test
  - name: the usual case
    event: {type: contact.updated, contact: {quentliId: cus_1, number: 7, name: ANA, phone: 5512345678, level: PRI}}
    expect:
      - customer: cus_1
        patch: {name: Ana, phoneNumber: \"+525512345678\", metadata: [{key: Nivel, value: Primaria}]}
";

/// A code, lines of the good file, and what stands there instead.
const CASES: &str = r#"
yaml/syntax
-    when: type == 'ping'
+    when: 'type == ping

yaml/syntax
-    drop: connection test
+   drop: connection test

yaml/syntax
-    drop: connection test
+	drop: connection test

yaml/duplicate-key
-    drop: connection test
+    drop: connection test
+    drop: a test

yaml/not-allowed
-    when: type == 'ping'
+    when: &ping type == 'ping'

yaml/not-allowed
-    when: type == 'ping'
+    when: *ping

yaml/not-allowed
-    when: type == 'ping'
+    when: !ping type

yaml/not-allowed
-tests:
+---
+tests:

yaml/not-allowed
-    set:
+    set:
+      <<: {name: contact.name}

yaml/not-allowed
-otherwise: drop
+? [otherwise]
+: drop

recv/source-name
-source: crm
+source: my-crm

map/wrong-value
-source: crm
+source: My CRM

recv/organisation
-otherwise: drop
+quentli: [north]
+otherwise: drop

recv/mode
-otherwise: drop
+mode: off
+otherwise: drop

recv/on-conflict
-otherwise: drop
+on_conflict: merge
+otherwise: drop

recv/unknown-key
-    signature_header: X-Signature
+    signature_hedaer: X-Signature

recv/unknown-key
-  secrets: [{env: CRM_SECRET}]
+  secret: not-a-real-secret

recv/missing-key
-    type: hmac

recv/wrong-shape
-    encoding: hex
+    encoding: [hex]

recv/wrong-shape
-receive:
+receive: hmac
+x:

recv/no-verification
-receive:
+receivd:

recv/no-verification
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex

recv/body-dedup
-  dedup: body
+  answer: {status: 202}

recv/extendable-digest
-    type: hmac
+    type: digest
+    signed: "{secret}.{body}"

recv/unsigned-dedup-header
-  dedup: body
+  dedup: {header: X-Event-Id}

recv/unverified
-  verify:
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
+  verify: none

recv/unknown-preset
-  verify:
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
+  verify: hubspot

recv/bad-value
-    encoding: hex
+    encoding: hexadecimal

recv/bad-value
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{env: CRM_SECRET, until: tomorrow}]

recv/contradiction
-    encoding: hex
+    encoding: hex
+    signed: "{timestamp}.{body}"

recv/no-secret
-  secrets: [{env: CRM_SECRET}]

recv/literal-secret
-  secrets: [{env: CRM_SECRET}]
+  secrets: [not-a-real-secret]

recv/literal-secret
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{env: not-a-real-secret}]

recv/literal-secret
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{env: CRM_SECRET, file: /run/secrets/crm}]

recv/unknown-key
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{evn: CRM_SECRET}]

recv/bad-value
-  dedup: body
+  dedup: header:webhook-id

recv/wrong-shape
-  dedup: body
+  dedup: body
+  keep_rejected: yes

recv/secrets-end
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{env: CRM_SECRET, until: 2027-01-01}]

recv/unused-secrets
-  verify:
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
+  verify: none

recv/unused-keys
-  secrets: [{env: CRM_SECRET}]
+  jwks: {url: https://sis.example/jwks}
+  secrets: [{env: CRM_SECRET}]

recv/unused-claims
-  secrets: [{env: CRM_SECRET}]
+  claims: {email: push@school.example}
+  secrets: [{env: CRM_SECRET}]

recv/no-keys
-  verify:
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
-  secrets: [{env: CRM_SECRET}]
+  verify: {type: jwt, token_source: body, algorithms: [RS256]}

recv/missing-claim
-  verify:
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
-  secrets: [{env: CRM_SECRET}]
+  verify: google-pubsub

recv/no-keys
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
-  secrets: [{env: CRM_SECRET}]
+    type: public-key
+    algorithm: ed25519
+    signature_header: X-Signature
+    encoding: hex

recv/unused-keys
-  secrets: [{env: CRM_SECRET}]
+  secrets: [{env: CRM_SECRET}]
+  public_keys: [whpk_AAEC]

recv/public-key
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
-  secrets: [{env: CRM_SECRET}]
+    type: public-key
+    algorithm: ed25519
+    signature_header: X-Signature
+    encoding: hex
+  public_keys: [whpk_AAEC]

recv/public-key
-    type: hmac
-    signature_header: X-Signature
-    encoding: hex
-  secrets: [{env: CRM_SECRET}]
+    type: public-key
+    algorithm: ed25519
+    signature_header: X-Signature
+    encoding: hex
+  public_keys: [MC4CAQAwBQYDK2VwBCIEIKMQwKWP0jgrejmjuAC2q0ghQnvYr8SrgHElAduxKXe3]

recv/bad-value
-  secrets: [{env: CRM_SECRET}]
+  handshake: echo-jason
+  secrets: [{env: CRM_SECRET}]

map/unknown-key
-    drop: connection test
+    dorp: connection test

map/unknown-key
-        - username: contact.number
+        - telephone: contact.number

map/missing-key
-otherwise: drop

map/missing-key
-tests:
+test:

map/wrong-value
-otherwise: drop
+otherwise: ignore

map/wrong-value
-mapping: 1
+mapping: 2

map/wrong-value
-otherwise: drop
+timezone: America/Monterey
+otherwise: drop

map/wrong-value
-otherwise: drop
+phone_region: Mexico
+otherwise: drop

map/wrong-value
-      on_missing: fail
+      on_missing: creat

map/wrong-value
-  level: {PRI: Primaria, SEC: Secundaria}
+  level: {PRI: Primaria, SEC: null}

map/wrong-value
-    when: type == 'ping'
+    when: [type]

map/duplicate
-  - name: contact changed
+  - name: connection test

map/unknown-field
-      phoneNumber: contact.phone | phone
+      phoneNumbr: contact.phone | phone

map/unknown-field
-      phoneNumber: contact.phone | phone
+      telefono: contact.phone | phone

map/syntax
-    when: type == 'ping'
+    when: type = 'ping'

map/syntax
-    when: type == 'ping'
+    when: type == 'ping' && test

map/syntax
-      name: contact.name | squeeze | title
+      name: contact.first name | squeeze | title

map/syntax
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.2 | lookup(level)

map/syntax
-    when: type == 'ping'
+    when:

map/unclosed
-    when: type == 'ping'
+    when: (type == 'ping'

map/unclosed
-      name: contact.name | squeeze | title
+      name: {from: join(' ', contact.name, contact.surname)}

map/unclosed
-      name: contact.name | squeeze | title
+      name: {template: "Sra. {contact.name"}

map/ambiguous-fallback
-      name: contact.name | squeeze | title
+      name: contact.name | title ?? 'Tutor'

map/unknown-transform
-      name: contact.name | squeeze | title
+      name: contact.name | squeeze | titel

map/unknown-transform
-      name: contact.name | squeeze | title
+      name: contact.name | squeeze | capitalise

map/unknown-table
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.level | lookup(levels)

map/wrong-arguments
-      name: contact.name | squeeze | title
+      name: contact.name | max_len('20') | title

map/wrong-arguments
-      phoneNumber: contact.phone | phone
+      phoneNumber: contact.phone | phone('MEX')

map/wrong-arguments
-      name: contact.name | squeeze | title
+      name: title(contact.name)

map/wrong-arguments
-      name: contact.name | squeeze | title
+      name: contact.name | concat('x')

map/wrong-arguments
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.on | datetime('DD/MM/AAAA')

map/wrong-arguments
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.fee | number(decimals=',')

map/wrong-arguments
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.on | day_first(tz='Mexico City')

map/wrong-arguments
-    when: type == 'ping'
+    when: type | matches('(ping')

map/wrong-type
-      phoneNumber: contact.phone | phone
+      phoneNumber: contact.phone

map/wrong-type
-      name: contact.name | squeeze | title
+      name: contact.active | bool

map/wrong-type
-    when: type == 'ping'
+    when: type | lower

map/wrong-type
-      phoneNumber: contact.phone | phone
+      phoneNumber: {value: 12}

map/wrong-type
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.on | unix_s | number

map/unknown-level
-        Nivel: contact.level | lookup(level)
+        Nivel: ^.level | lookup(level)

map/not-nullable
-      name: contact.name | squeeze | title
+      name: null

map/not-nullable
-      name: contact.name | squeeze | title
+      name: {from: contact.name, on_blank: keep}

map/field-form
-      phoneNumber: contact.phone | phone
+      phoneNumber: {from: contact.phone | phone, value: null}

map/field-form
-      phoneNumber: contact.phone | phone
+      phoneNumber: {when: contact.active}

map/field-form
-        Nivel: contact.level | lookup(level)
+        - contact.level

map/rule-form
-    set:
+    settings:

map/rule-form
-    drop: connection test
+    drop: connection test
+    set: {name: x}

map/rule-form
-        - username: contact.number
+        - {username: concat('tut-', contact.number)}

map/rule-form
-      find:
-        - username: contact.number
-      on_missing: fail
+      on_missing: create

map/rule-form
-      on_missing: fail
+      on_missing: fail
+      create: {skipTaxInvoice: true}

map/guarded-field
-      phoneNumber: contact.phone | phone
+      tags: contact.tags[]

map/guarded-field
-      phoneNumber: contact.phone | phone
+      password: contact.password

map/secret-header
-    when: type == 'ping'
+    when: header('X-Signature') == 'ping'

map/metadata-and-meta
-    set:
+    set:
+      meta: {Sede: contact.site}

map/unreachable-rule
-    when: type == 'ping'

map/test-form
-    event: {type: ping}

map/test-form
-      - drop: connection test
+      - dropped

map/test-form
-      - drop: connection test
+      - {drop: connection test, fail: x}

map/test-form
-    event: {type: ping}
+    event_file: samples/ping.json

map/test-failed
-        patch: {name: Ana, phoneNumber: "+525512345678", metadata: [{key: Nivel, value: Primaria}]}
+        patch: {name: ANA, phoneNumber: "+525512345678", metadata: [{key: Nivel, value: Primaria}]}

map/test-failed
-      - drop: connection test
+      - fail: connection test

map/path-never-seen
-      name: contact.name | squeeze | title
+      name: contact.nmae ?? contact.name | squeeze | title

map/path-never-seen
-      name: contact.name | squeeze | title
+      name: contact.surname ?? contact.name | squeeze | title

map/rule-never-reached
-  - name: contact changed
+  - name: contact deleted
+    when: type == 'contact.deleted'
+    drop: deleted
+  - name: contact changed

map/unused
-        Nivel: contact.level | lookup(level)
+        Nivel: contact.level

map/unused
-otherwise: drop
+allow: [tags]
+otherwise: drop
"#;

fn check(text: String) -> Findings {
    let no_samples = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    SourceFile::check(
        "crm.yaml",
        "crm",
        text,
        &no_samples,
        UnreadableSamples::Refuse,
    )
    .findings
}

/// The findings of a code in a report.
fn of_code<'a>(code: &str, report: &'a str) -> Vec<&'a str> {
    let mark = format!("[{code}]: ");
    report
        .split("\n\n")
        .filter(|finding| {
            finding
                .lines()
                .next()
                .is_some_and(|line| line.contains(&mark))
        })
        .collect()
}

/// Findings that no change of the good file brings about.
fn others() -> Vec<(&'static str, Findings)> {
    let read = |path: &str| SourceFile::read(Path::new(path), UnreadableSamples::Refuse).findings;
    let deep = format!("mapping: {}{}", "[".repeat(70), "]".repeat(70));
    let nested = format!("when: {}type{}", "(".repeat(40), ")".repeat(40));
    let rules: Vec<String> = (0..210)
        .map(|number| format!("  - {{name: r{number}, when: a, drop: x}}\n"))
        .collect();
    let rules = rules.concat();
    vec![
        ("recv/source-name", read("crm.yml")),
        ("recv/unreadable", read("no-such-folder/crm.yaml")),
        ("yaml/limit", check(deep)),
        ("yaml/limit", check(" ".repeat(2 << 20))),
        (
            "map/limit",
            check(GOOD.replace("when: type == 'ping'", &nested)),
        ),
        (
            "map/limit",
            check(GOOD.replace("rules:\n", &format!("rules:\n{rules}"))),
        ),
    ]
}

/// The code of a case, and the file that it changes.
fn changed(case: &str) -> (&str, String) {
    let (code, lines) = case.split_once('\n').unwrap();
    let passage = |sign: char| -> String {
        let marked = lines.lines().filter_map(|line| line.strip_prefix(sign));
        marked.flat_map(|line| ["\n", line]).collect()
    };
    let (from, to) = (passage('-'), passage('+'));
    let good = format!("\n{GOOD}");
    let place = format!("{from}\n");
    assert_eq!(good.matches(&place).count(), 1, "not one passage: {case}");
    let text = good.replace(&place, &format!("{to}\n"));
    (code, text.strip_prefix('\n').unwrap().to_owned())
}

#[test]
fn every_finding_is_shown_as_a_person_reads_it() {
    let good = check(GOOD.to_owned());
    assert_eq!(render_report(&good, Style::Plain), "");
    let cases = CASES.trim().split("\n\n").map(|case| {
        let (code, text) = changed(case);
        (code, check(text), case)
    });
    let others = others()
        .into_iter()
        .map(|(code, findings)| (code, findings, code));
    let mut page = String::new();
    let mut codes = BTreeSet::new();
    for (code, findings, case) in cases.chain(others) {
        let said = render_report(&findings, Style::Plain);
        let shown = of_code(code, &said);
        assert!(!shown.is_empty(), "without the finding: {case}\n{said}");
        writeln!(page, "{}\n", shown.join("\n\n")).unwrap();
        codes.insert(code.to_owned());
    }
    let missing: Vec<String> = all_codes().difference(&codes).cloned().collect();
    assert!(missing.is_empty(), "codes without a case: {missing:?}");
    insta::assert_snapshot!("gallery", page);
}

#[test]
fn a_secret_under_a_wrong_key_is_not_shown() {
    const SECRET: &str = "not-a-real-secret";
    let verify =
        "  verify:\n    type: hmac\n    signature_header: X-Signature\n    encoding: hex\n";
    let secrets = "  secrets: [{env: CRM_SECRET}]\n";
    for (from, to) in [
        (secrets, "  secret: not-a-real-secret\n"),
        (secrets, "  secret:\n    not-a-real-secret\n"),
        (secrets, "  secret: [{value: not-a-real-secret}]\n"),
        (
            secrets,
            "  secrets: [{env: CRM_SECRET, value: not-a-real-secret}]\n",
        ),
        (
            secrets,
            "  secrets: [{evn: CRM_SECRET, vale: not-a-real-secret}]\n",
        ),
        (secrets, "  verify_token: not-a-real-secret\n"),
        (
            secrets,
            "  handshake: {kind: no-such, verify_token: not-a-real-secret}\n",
        ),
        (secrets, "  handshake: {verify_token: not-a-real-secret}\n"),
        (
            verify,
            "  verify: {type: token, header: X-Token, token: not-a-real-secret}\n",
        ),
        (verify, "  verify: {type: hmca, token: not-a-real-secret}\n"),
        (verify, "  verify: {token: not-a-real-secret}\n"),
        (verify, "  verify:\n    token: not-a-real-secret\n"),
        (
            verify,
            "  verify: {type: hmac, signature_hedaer: [x], secret: not-a-real-secret}\n",
        ),
    ] {
        assert!(GOOD.contains(from));
        let findings = check(GOOD.replace(from, to));
        let said = render_report(&findings, Style::Plain);
        assert!(findings.has_errors() && said.contains("crm.yaml:"), "{to}");
        let lines = render_lines(&findings).join("\n");
        let json = render_json(&[findings]).to_string();
        for said in [said, lines, json] {
            assert!(!said.contains(SECRET), "{to}\n{said}");
        }
    }
    let receive =
        "receive: {verify: github, dedpu: body, secrets: [not-a-real-secret], answer: [x]}\n";
    let (before, rest) = GOOD.split_once("receive:").unwrap();
    let (_, after) = rest.split_once("otherwise:").unwrap();
    let text = [before, receive, "otherwise:", after].concat();
    let said = render_report(&check(text), Style::Plain);
    assert!(
        said.contains("`dedpu`") && said.contains("did you mean `dedup`?"),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
}

/// Every code of a source file's findings that the program's text names.
fn all_codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let words = text.split('"').filter(|word| {
                    word.split_once('/').is_some_and(|(area, name)| {
                        matches!(area, "yaml" | "recv" | "map")
                            && !name.is_empty()
                            && name
                                .bytes()
                                .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                    })
                });
                codes.extend(words.map(str::to_owned));
            }
        }
    }
    assert!(codes.len() > 40, "{codes:?}");
    codes
}
