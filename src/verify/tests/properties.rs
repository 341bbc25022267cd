//! What a proof covers cannot be changed unnoticed, and what it does not cover can: for every preset and every kind of
//! settings in the known answers, as [`Coverage`] says it.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::*;
use crate::verify::{AddressCoverage, BodyCoverage, Coverage};

/// Where nothing is signed, a change of these leaves a body, an address or a header readable.
const PADDING: &str = "mmmmmmmm";
const TRACE: HeaderName = HeaderName::from_static("x-trace");
const NOW: i64 = 1_760_000_000;

/// A request before and after it is signed.
struct Signed {
    before: Outgoing,
    after: Outgoing,
}

/// A request that the sender can sign: JSON, or a form where that is what it needs.
fn signed(sender: &Signer, coverage: &Coverage, random: &mut StdRng) -> Signed {
    let text: String = (0..random.random_range(1..40))
        .map(|_| random.random_range('a'..='z'))
        .collect();
    let mut kinds = [false, true];
    if random.random_bool(0.5) {
        kinds.reverse();
    }
    let requests = kinds.map(|is_form| request(coverage, &text, is_form));
    let sign = |before: Outgoing| {
        let after = sender.try_sign(before.clone(), at(NOW)).ok()?;
        let received = after.clone().into_received(at(NOW));
        let is_genuine = sender.verifier.verify(received, at(NOW)).is_ok();
        is_genuine.then_some(Signed { before, after })
    };
    let mut signed = requests.into_iter().filter_map(sign);
    signed
        .next()
        .unwrap_or_else(|| panic!("{}: neither can be signed", sender.name))
}

/// With everything that the sender signs and does not add itself, and with padding.
fn request(coverage: &Coverage, text: &str, is_form: bool) -> Outgoing {
    let mut fields = vec![("padding", PADDING), ("name", "José"), ("id", text)];
    if let BodyCoverage::Fields(paths) = &coverage.body {
        fields.extend(paths.iter().map(|path| (path.as_str(), text)));
    }
    let (kind, body) = if is_form {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        ("application/x-www-form-urlencoded", form.finish())
    } else {
        let mut body = serde_json::json!({"value": [{"x": 1}, {"x": 2}]});
        for (path, text) in fields {
            let path: json_path::JsonPath = path.parse().unwrap();
            assert!(path.write(&mut body, text), "{path}");
        }
        ("application/json", body.to_string())
    };
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(TRACE, HeaderValue::from_static(PADDING));
    for name in &coverage.headers {
        headers.insert(name, HeaderValue::from_str(text).unwrap());
    }
    let mut url = format!("https://hooks.example/{PADDING}?page=1");
    if let AddressCoverage::Parameters(names) = &coverage.address {
        url.extend(names.iter().map(|name| format!("&{name}={text}")));
    }
    Outgoing {
        method: Method::POST,
        url,
        headers,
        body: body.into(),
    }
}

/// One bit of one of these places changed, the highest bit of a byte left alone: headers and addresses have none.
fn one_bit_off(
    bytes: &[u8],
    places: std::ops::Range<usize>,
    bits: u8,
    random: &mut StdRng,
) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[random.random_range(places)] ^= 1 << random.random_range(0..bits);
    bytes
}

fn place_of(text: &str, bytes: &[u8]) -> std::ops::Range<usize> {
    let mut windows = bytes.windows(text.len());
    let start = windows.position(|window| window == text.as_bytes());
    let start = start.unwrap_or_else(|| panic!("no {text} in {}", String::from_utf8_lossy(bytes)));
    start..start + text.len()
}

/// The texts that a JSON body has in it.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(all) => all.iter().for_each(|value| texts(value, found)),
        Value::Object(all) => all.values().for_each(|value| texts(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The places in the body that the sender wrote its proof to.
fn proof_in_body(signed: &Signed) -> Vec<std::ops::Range<usize>> {
    let (before, after) = (&signed.before.body, &signed.after.body);
    if before == after {
        return Vec::new();
    }
    if after.starts_with(before) {
        let added = String::from_utf8(after[before.len()..].to_vec()).unwrap();
        let (_, value) = added.split_once('=').unwrap();
        let place = after.len() - value.len()..after.len();
        return std::iter::once(place).collect();
    }
    // A token that is the body.
    if serde_json::from_slice::<Value>(after).is_err() {
        return std::iter::once(0..after.len()).collect();
    }
    let of = |body: &[u8]| {
        let mut found = BTreeSet::new();
        texts(&serde_json::from_slice(body).unwrap(), &mut found);
        found
    };
    let known = of(before);
    let added = of(after).into_iter().filter(|text| !known.contains(text));
    added.map(|text| place_of(&text, after)).collect()
}

/// All that can happen to one request of one sender.
struct Case<'a> {
    sender: &'a Signer,
    coverage: Coverage,
    signed: Signed,
}

impl Case<'_> {
    fn received(&self) -> Received {
        self.signed.after.clone().into_received(at(NOW))
    }

    fn expect(&self, what: &str, is_noticed: bool, change: impl FnOnce(&mut Outgoing)) {
        let mut changed = self.signed.after.clone();
        change(&mut changed);
        let shown = format!(
            "{} {} {:?} {:?}",
            changed.method, changed.url, changed.headers, changed.body
        );
        let verdict = self
            .sender
            .verifier
            .verify(changed.into_received(at(NOW)), at(NOW));
        assert_eq!(
            verdict.is_err(),
            is_noticed,
            "{}: {what} changed: {:?}\n{shown}",
            self.sender.name,
            verdict.err().map(|(_, refusal)| refusal)
        );
    }

    fn body(&self, random: &mut StdRng) {
        let body = &self.signed.after.body;
        let change = |places, bits, random: &mut StdRng| {
            let body = one_bit_off(body, places, bits, random);
            |request: &mut Outgoing| request.body = body.into()
        };
        for places in proof_in_body(&self.signed) {
            self.expect("the proof in the body", true, change(places, 7, random));
        }
        let padding = || place_of(PADDING, body);
        match &self.coverage.body {
            BodyCoverage::Whole => {
                self.expect("the body", true, change(0..body.len(), 8, random));
            }
            BodyCoverage::Form => {
                self.expect("a field of the form", true, change(padding(), 7, random));
                if body.windows(3).any(|window| window == b"%C3") {
                    let written = String::from_utf8(body.to_vec()).unwrap();
                    for (this, other) in [("%C3", "%c3"), ("name=J", "nameJ=")] {
                        let body = written.replace(this, other).into();
                        self.expect("how the form is written", false, |request| {
                            request.body = body;
                        });
                    }
                }
            }
            BodyCoverage::Fields(_) => {
                let id = texts_of_fields(&self.signed.before);
                self.expect("a field", true, change(place_of(&id, body), 7, random));
                self.expect("the rest of the body", false, change(padding(), 7, random));
            }
            BodyCoverage::Nothing => {
                self.expect("the body", false, change(padding(), 7, random));
            }
        }
    }

    fn time(&self) {
        let later = at(NOW) + jiff::SignedDuration::from_hours(24 * 30);
        let verdict = self.sender.verifier.verify(self.received(), later);
        assert_eq!(
            verdict.is_err(),
            self.coverage.time,
            "{}: a month later",
            self.sender.name
        );
    }

    fn method(&self) {
        self.expect("the method", self.coverage.method, |request| {
            request.method = Method::PUT;
        });
    }

    fn address(&self, random: &mut StdRng) {
        let (before, after) = (&self.signed.before.url, &self.signed.after.url);
        let change = |places, bits, random: &mut StdRng| {
            let url = one_bit_off(after.as_bytes(), places, bits, random);
            let url = String::from_utf8(url).unwrap();
            |request: &mut Outgoing| request.url = url
        };
        if before != after {
            let added = after.strip_prefix(before.as_str()).unwrap();
            let (_, value) = added.split_once('=').unwrap();
            let places = after.len() - value.len()..after.len();
            self.expect("the proof in the address", true, change(places, 7, random));
        }
        let padding = place_of(PADDING, after.as_bytes());
        match &self.coverage.address {
            AddressCoverage::Whole => {
                self.expect("the address", true, change(padding, 7, random));
            }
            AddressCoverage::Parameters(names) => {
                let name = format!("&{}=", names[random.random_range(0..names.len())]);
                let start = place_of(&name, after.as_bytes()).end;
                self.expect("a parameter", true, change(start..start + 1, 7, random));
                self.expect("the rest of the address", false, change(padding, 4, random));
            }
            AddressCoverage::Nothing => {
                self.expect("the address", false, change(padding, 4, random));
            }
        }
    }

    fn headers(&self, random: &mut StdRng) {
        let mut change = |name: &HeaderName| loop {
            let value = self.signed.after.headers[name].as_bytes();
            let other = one_bit_off(value, 0..value.len(), 7, random);
            // HTTP knows the word `Basic` in any case.
            let is_same = name == http::header::AUTHORIZATION && other.eq_ignore_ascii_case(value);
            if let Ok(other) = HeaderValue::from_bytes(&other)
                && !(is_same && other.as_bytes()[6..] == value[6..])
            {
                let name = name.clone();
                return |request: &mut Outgoing| drop(request.headers.insert(name, other));
            }
        };
        for name in self.signed.after.headers.keys() {
            let is_known = self.signed.before.headers.contains_key(name);
            if name == http::header::CONTENT_TYPE {
                continue;
            }
            let is_signed = self.coverage.listed_headers || self.coverage.headers.contains(name);
            let is_noticed = !is_known || is_signed;
            self.expect(name.as_str(), is_noticed, change(name));
            if is_noticed {
                self.expect(&format!("{name} missing"), true, |request| {
                    request.headers.remove(name);
                });
            }
        }
        self.expect("another header", false, |request| {
            request
                .headers
                .insert("x-later", HeaderValue::from_static("1"));
        });
    }
}

/// The text that all signed fields of the body have.
fn texts_of_fields(request: &Outgoing) -> String {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    if let Ok(body) = serde_json::from_str::<Value>(&body) {
        return body["id"].as_str().unwrap().to_owned();
    }
    let mut pairs = url::form_urlencoded::parse(body.as_bytes());
    let id = pairs.find(|(name, _)| name == "id");
    id.unwrap().1.into_owned()
}

#[test]
fn senders_of_every_type_are_tried() {
    let all = signers();
    let tried: BTreeSet<&str> = all
        .iter()
        .map(|sender| sender.verifier.settings().type_name())
        .collect();
    let findings = read("{type: zzzzzzzz}").unwrap_err().join("\n");
    let (_, known) = findings.split_once("write one of ").unwrap();
    // Only a proxy can hand a certificate on, and it covers nothing of the request: it has tests of its own.
    let known = known.trim_end_matches(')').split(", ");
    let known = known.filter(|kind| *kind != "client-certificate");
    assert_eq!(tried, known.collect());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn one_bit_of_what_is_signed_is_noticed_and_of_nothing_else(seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        for sender in signers() {
            let coverage = sender.verifier.settings().coverage();
            let signed = signed(sender, &coverage, &mut random);
            let case = Case { sender, coverage, signed };
            case.body(&mut random);
            case.time();
            case.method();
            case.address(&mut random);
            case.headers(&mut random);
        }
    }
}
