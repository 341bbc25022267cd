//! Tries changes one by one and then in pairs, until one makes the request genuine.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use jiff::Timestamp;

use super::{
    Aspect, Case, Change, Explanation, Settings, Verdict, address, body, certificate, claims,
    credentials, header, moment, secrets, signed, tokens,
};
use crate::verify::{
    KeySetHandle, PublicKey, Received, Refusal, SettingsError, SigningSecret, Verifier,
    VerifySettings, request::Request,
};

/// How much work a search may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Changes and pairs of changes.
    pub(super) tries: usize,
    /// Bytes that are read and hashed, all tries together, and of bodies that are written anew.
    pub(super) bytes: usize,
}

/// Some seconds at most, also on a small machine.
pub(super) const BOUNDS: Bounds = Bounds {
    tries: 20_000,
    bytes: 64 * 1024 * 1024,
};
/// A try costs something even without a body.
const BYTES_OF_A_TRY: usize = 512;
/// Further explanations are no help.
const MOST_EXPLANATIONS: usize = 3;

/// What came of the search.
pub(super) struct Found {
    pub(super) explanations: Vec<Explanation>,
    pub(super) tries: usize,
    pub(super) is_cut: bool,
}

/// How the source judges the request, as the gateway does.
pub(super) fn verdict(case: &Case<'_>) -> Verdict {
    let Ok(settings) = case.settings.read() else {
        // They were read before, where they stand.
        return Verdict::Refused(Refusal::NoSecret);
    };
    match verifier(settings, case.secrets, case.public_keys, case.key_set) {
        Ok(verifier) => match verifier.check(&Request::from(case.request), case.now) {
            Ok(found) => Verdict::Genuine(found.secret),
            Err(refusal) => Verdict::Refused(refusal),
        },
        Err(error) => Verdict::Unfit(error),
    }
}

pub(super) fn search(case: &Case<'_>, bounds: Bounds) -> Found {
    let mut search = Search {
        case,
        bounds,
        moments: moment::named(case.request),
        explanations: Vec::new(),
        aspects: Vec::new(),
        tries: 0,
        bytes: 0,
        is_cut: false,
    };
    search.run();
    Found {
        explanations: search.explanations,
        tries: search.tries,
        is_cut: search.is_cut,
    }
}

/// All changes that are tried, by aspect.
fn changes(case: &Case<'_>, bounds: Bounds) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(header::changes(case));
    changes.extend(secrets::changes(case));
    changes.extend(body::changes(case, bounds.bytes / 4));
    changes.extend(address::changes(case));
    changes.extend(credentials::changes(case));
    changes.extend(tokens::changes(case));
    changes.extend(signed::changes(case));
    changes.sort_by_key(|change| change.aspect);
    changes
}

struct Search<'a> {
    case: &'a Case<'a>,
    bounds: Bounds,
    moments: Vec<Timestamp>,
    explanations: Vec<Explanation>,
    /// What the explanations are about.
    aspects: Vec<Vec<Aspect>>,
    tries: usize,
    bytes: usize,
    is_cut: bool,
}

/// A change with the settings that it makes, where it changes any; `None` for settings that make no sense.
struct Ready<'a> {
    change: &'a Change,
    settings: Option<Arc<VerifySettings>>,
}

impl Search<'_> {
    fn run(&mut self) {
        let Ok(settings) = self.case.settings.read() else {
            return;
        };
        let settings = Arc::new(settings);
        // Perhaps only the time is wrong.
        self.attempt(&[], &settings);
        if !self.explanations.is_empty() {
            return;
        }
        self.explanations
            .extend(claims::explained(self.case, &settings, &self.moments));
        self.explanations.extend(
            credentials::compared(self.case)
                .or_else(|| header::bare_hash(self.case))
                .map(Explanation::from),
        );
        if !self.explanations.is_empty() {
            return;
        }
        self.try_changes(&settings);
        if self.explanations.is_empty()
            && let Verdict::Refused(refusal) = verdict(self.case)
        {
            let compared = tokens::compared(self.case, &settings, refusal)
                .or_else(|| certificate::compared(self.case, &settings, refusal));
            self.explanations.extend(compared.map(Explanation::from));
        }
    }

    fn try_changes(&mut self, settings: &Arc<VerifySettings>) {
        let changes = changes(self.case, self.bounds);
        let bodies = changes.iter().filter_map(|change| change.body.as_ref());
        self.bytes += bodies.map(bytes::Bytes::len).sum::<usize>();
        let ready: Vec<Ready<'_>> = changes
            .iter()
            .map(|change| Ready {
                change,
                settings: applied(self.case.settings, &[change], settings),
            })
            .collect();
        for one in &ready {
            // A preset says more than settings one by one.
            if one.change.aspect != Aspect::Sender && self.aspects.contains(&vec![Aspect::Sender]) {
                return;
            }
            if let Some(settings) = &one.settings {
                self.attempt(&[one.change], settings);
            }
            if self.is_over() {
                return;
            }
        }
        if self.explanations.is_empty() {
            self.pairs(&ready, settings);
        }
    }

    fn pairs(&mut self, ready: &[Ready<'_>], unchanged: &Arc<VerifySettings>) {
        for (index, first) in ready.iter().enumerate() {
            for second in ready.iter().skip(index + 1) {
                if !go_together(first.change, second.change) {
                    continue;
                }
                let pair = [first.change, second.change];
                let settings = match (touches_settings(pair[0]), touches_settings(pair[1])) {
                    (true, true) => applied(self.case.settings, &pair, unchanged),
                    (true, false) => first.settings.clone(),
                    (false, true) => second.settings.clone(),
                    (false, false) => Some(Arc::clone(unchanged)),
                };
                if let Some(settings) = settings {
                    self.attempt(&pair, &settings);
                }
                if self.is_over() || !self.explanations.is_empty() {
                    return;
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.is_cut || self.explanations.len() >= MOST_EXPLANATIONS
    }

    /// Checks the request under some changes, and keeps them where they explain the refusal.
    fn attempt(&mut self, changes: &[&Change], settings: &Arc<VerifySettings>) {
        let mut request = self.case.request.clone();
        let mut secrets = self.case.secrets.to_vec();
        let mut keys = self.case.public_keys;
        for change in changes {
            if let Some(body) = &change.body {
                request.body = body.clone();
            }
            if let Some(url) = &change.url {
                // A change of an address that is not signed changes nothing.
                if !settings.signs_url() {
                    return;
                }
                request.public_url.clone_from(url);
            }
            if let Some(headers) = &change.headers {
                request.headers.clone_from(headers);
            }
            if let Some(others) = &change.secrets {
                secrets.clone_from(others);
            }
            keys = change.public_keys.as_deref().unwrap_or(keys);
        }
        let cost = cost(&request) * (secrets.len() + keys.len()).max(1);
        if self.tries == self.bounds.tries || self.bytes.saturating_add(cost) > self.bounds.bytes {
            self.is_cut = true;
            return;
        }
        self.tries += 1;
        self.bytes += cost;
        let Some(at) = self.genuine_at(
            &verifiers(settings, &secrets, keys, self.case.key_set),
            &request,
        ) else {
            return;
        };
        let aspects: Vec<Aspect> = changes.iter().map(|change| change.aspect).collect();
        // Two readings of one thing that come to the same are one explanation; schemes may be many.
        let is_scheme = |aspect| matches!(aspect, &Aspect::Scheme | &Aspect::Sender);
        if !aspects.iter().any(is_scheme) && self.aspects.contains(&aspects) {
            return;
        }
        self.aspects.push(aspects);
        self.explanations.push(Explanation {
            parts: changes.iter().map(|change| change.advice.clone()).collect(),
            at: (at != self.case.now).then_some(at),
        });
    }

    /// When the request is genuine: as it arrived or, where only that is against it, at a moment that it names.
    fn genuine_at(&self, verifiers: &[Verifier], request: &Received) -> Option<Timestamp> {
        let request = Request::from(request);
        verifiers
            .iter()
            .find_map(|verifier| match verifier.check(&request, self.case.now) {
                Ok(_) => Some(self.case.now),
                Err(refusal) if is_about_time(refusal) => self
                    .moments
                    .iter()
                    .copied()
                    .find(|moment| verifier.check(&request, *moment).is_ok()),
                Err(_) => None,
            })
    }
}

/// What a check reads of a request, in bytes. Parameters and fields are decoded one by one, which is slower than hashing.
fn cost(request: &Received) -> usize {
    let is_form = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.contains("form-urlencoded"));
    let body = request.body.len() * if is_form { 4 } else { 1 };
    let address = (request.public_url.len() + request.path_and_query.len()) * 4;
    body + address + BYTES_OF_A_TRY
}

/// Settings with what they take: secrets, public keys or the sender's published ones.
pub(super) fn verifier(
    settings: VerifySettings,
    secrets: &[SigningSecret],
    keys: &[PublicKey],
    key_set: Option<&KeySetHandle>,
) -> Result<Verifier, SettingsError> {
    if settings.takes_public_keys() {
        return Verifier::with_public_keys(settings, keys);
    }
    let verifier = Verifier::new(settings, secrets)?;
    if let Some(key_set) = key_set {
        verifier.use_keys(key_set.clone());
    }
    Ok(verifier)
}

const fn is_about_time(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::TimestampTooOld
            | Refusal::TimestampTooNew
            | Refusal::TokenExpired
            | Refusal::TokenTooEarly
            | Refusal::NoSecret
    )
}

/// A verifier with all secrets or, where some do not fit the settings, one for each of those that do.
fn verifiers(
    settings: &Arc<VerifySettings>,
    secrets: &[SigningSecret],
    keys: &[PublicKey],
    key_set: Option<&KeySetHandle>,
) -> Vec<Verifier> {
    let new = |secrets: &[SigningSecret]| {
        verifier(VerifySettings::clone(settings), secrets, keys, key_set)
    };
    match new(secrets) {
        Ok(verifier) => vec![verifier],
        Err(_) if secrets.len() < 2 => Vec::new(),
        Err(_) => secrets
            .iter()
            .filter_map(|secret| new(std::slice::from_ref(secret)).ok())
            .collect(),
    }
}

fn touches_settings(change: &Change) -> bool {
    change.instead.is_some() || !change.settings.is_empty()
}

/// Whether two changes may be one explanation.
fn go_together(first: &Change, second: &Change) -> bool {
    let is_whole = |change: &Change| change.instead.is_some();
    first.aspect != second.aspect
        && !(is_whole(first) && touches_settings(second))
        && !(is_whole(second) && touches_settings(first))
        && !(first.secrets.is_some() && second.secrets.is_some())
        && !first
            .settings
            .iter()
            .any(|(key, _)| second.settings.iter().any(|(other, _)| other == key))
}

/// The settings under some changes; `None` where they make no sense.
fn applied(
    settings: &Settings,
    changes: &[&Change],
    unchanged: &Arc<VerifySettings>,
) -> Option<Arc<VerifySettings>> {
    let mut new = None;
    for change in changes.iter().filter(|change| touches_settings(change)) {
        let base = change.instead.as_ref().or(new.as_ref());
        new = Some(base.unwrap_or(settings).with(&change.settings));
    }
    match new {
        None => Some(Arc::clone(unchanged)),
        Some(new) => new.read().ok().map(Arc::new),
    }
}
