//! Which customer a username or an address led to, remembered for a short while.
//!
//! A binding holds for exactly the line that was looked for. It is forgotten after a few minutes, when one of our
//! own changes touches the property it rests on, and when Quentli no longer knows the customer. That nobody was
//! found, or more than one, is remembered too, much shorter, and counts only for deliveries that were accepted, or that
//! a person had sent again, before it was asked.
//!
//! The memory is bounded by caches that may drop anything at any time, so a binding is believed only where both its
//! halves are there: the line leads to the customer, and the customer is known to be led to by the line. Ages are
//! judged by our own clock; the caches' own expiry only gives memory back.

use std::time::Duration;

use moka::sync::Cache;

use crate::{
    customer::{CustomerId, Field, FieldValue, FindBy, Patch},
    event::{DeliveryPos, LaneKey},
};

const FOUND_FOR: Duration = Duration::from_mins(10);
const MISSED_FOR: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 50_000;

/// What is remembered of look-ups.
#[derive(Debug)]
pub(super) struct Bindings {
    found: Cache<FindBy, Learnt<CustomerId>>,
    missed: Cache<FindBy, Learnt<AsOf>>,
    /// Lines that led to more than one, when they were looked for.
    ambiguous: Cache<FindBy, Learnt<AsOf>>,
    /// The lines that lead to a customer, to forget them together.
    lines: Cache<CustomerId, Vec<FindBy>>,
}

/// A moment in the order of what was accepted and of what people had sent again: no clock can be wrong about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AsOf {
    /// Deliveries up to here had been accepted.
    pub(super) accepted: DeliveryPos,
    /// So many times a person had had something sent again.
    pub(super) redeliveries: u64,
}

impl AsOf {
    /// Whether what was asked as of this moment says something to whoever asks since the other one.
    pub(super) fn covers(self, since: Self) -> bool {
        self.accepted >= since.accepted && self.redeliveries >= since.redeliveries
    }
}

impl From<DeliveryPos> for AsOf {
    /// Nobody had had anything sent again.
    fn from(accepted: DeliveryPos) -> Self {
        Self {
            accepted,
            redeliveries: 0,
        }
    }
}

/// Something, and when it was learnt by our own clock.
#[derive(Clone, Debug)]
struct Learnt<T> {
    at: Duration,
    what: T,
}

impl Default for Bindings {
    fn default() -> Self {
        Self {
            found: cache(FOUND_FOR),
            missed: cache(MISSED_FOR),
            ambiguous: cache(MISSED_FOR),
            lines: cache(FOUND_FOR),
        }
    }
}

fn cache<K, V>(lives_for: Duration) -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder()
        .max_capacity(CAPACITY)
        .time_to_live(lives_for)
        .build()
}

impl Bindings {
    /// The customer that this line led to lately.
    pub(super) fn customer(&self, line: &FindBy, now: Duration) -> Option<CustomerId> {
        let Learnt { at, what: customer } = self.found.get(line)?;
        let is_current = now.saturating_sub(at) <= FOUND_FOR;
        let is_whole = self
            .lines
            .get(&customer)
            .is_some_and(|lines| lines.contains(line));
        (is_current && is_whole).then_some(customer)
    }

    /// The lanes that are known to lead to this customer, its identifier's among them.
    pub(super) fn lanes_of(&self, customer: &CustomerId, now: Duration) -> Vec<LaneKey> {
        let lines = self.lines.get(customer).unwrap_or_default();
        let lines = lines
            .iter()
            .filter(|line| self.customer(line, now).as_ref() == Some(customer));
        std::iter::once(LaneKey::of("id", customer.as_str()))
            .chain(lines.map(FindBy::lane))
            .collect()
    }

    /// Whether lately, and not before `since`, nobody was found by this line.
    pub(super) fn is_missing(&self, line: &FindBy, since: AsOf, now: Duration) -> bool {
        is_known(&self.missed, line, since, now)
    }

    /// Whether lately, and not before `since`, more than one was found by this line.
    pub(super) fn is_ambiguous(&self, line: &FindBy, since: AsOf, now: Duration) -> bool {
        is_known(&self.ambiguous, line, since, now)
    }

    /// A line led to a customer.
    pub(super) fn found(&mut self, line: &FindBy, customer: &CustomerId, now: Duration) {
        self.forget_line(line);
        self.missed.invalidate(line);
        let mut lines = self.lines.get(customer).unwrap_or_default();
        lines.push(line.clone());
        self.lines.insert(customer.clone(), lines);
        self.found.insert(
            line.clone(),
            Learnt {
                at: now,
                what: customer.clone(),
            },
        );
    }

    /// A line, looked for as of `asked`, led to nobody.
    pub(super) fn missed(&mut self, line: &FindBy, asked: AsOf, now: Duration) {
        self.forget_line(line);
        self.missed.insert(
            line.clone(),
            Learnt {
                at: now,
                what: asked,
            },
        );
    }

    /// A line, looked for as of `asked`, led to more than one.
    pub(super) fn is_shared(&mut self, line: &FindBy, asked: AsOf, now: Duration) {
        self.forget_line(line);
        let learnt = Learnt {
            at: now,
            what: asked,
        };
        self.ambiguous.insert(line.clone(), learnt);
    }

    /// Somebody whom these lines lead to may exist by now.
    pub(super) fn may_exist(&mut self, lines: &[FindBy]) {
        for line in lines {
            self.missed.invalidate(line);
        }
    }

    /// Quentli does not know the customer any more.
    pub(super) fn forget(&mut self, customer: &CustomerId) {
        for line in self.lines.remove(customer).unwrap_or_default() {
            self.found.invalidate(&line);
        }
    }

    /// A person is erased: neither the customer nor what leads there is known any more.
    pub(super) fn erase(&mut self, customer: Option<&CustomerId>, lines: &[FindBy]) {
        if let Some(customer) = customer {
            self.forget(customer);
        }
        for line in lines {
            if let Some(Learnt { what: customer, .. }) = self.found.get(line) {
                self.forget(&customer);
            }
            self.found.invalidate(line);
            self.missed.invalidate(line);
            self.ambiguous.invalidate(line);
        }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.found.invalidate_all();
        self.missed.invalidate_all();
        self.ambiguous.invalidate_all();
        self.lines.invalidate_all();
    }

    /// We sent this change for the customer: what rests on the properties it sets is not known any more, whether it
    /// leads to this customer or, for the new values, to nobody or another.
    pub(super) fn changed(&mut self, customer: &CustomerId, patch: &Patch) {
        let lines = self.lines.get(customer).unwrap_or_default();
        let touched: Vec<FindBy> = lines.into_iter().filter(|line| sets(patch, line)).collect();
        for line in touched.iter().chain(&new_lines(patch)) {
            self.forget_line(line);
            self.missed.invalidate(line);
            self.ambiguous.invalidate(line);
        }
    }

    fn forget_line(&mut self, line: &FindBy) {
        let Some(Learnt { what: customer, .. }) = self.found.remove(line) else {
            return;
        };
        if let Some(mut lines) = self.lines.remove(&customer) {
            lines.retain(|other| other != line);
            if !lines.is_empty() {
                self.lines.insert(customer, lines);
            }
        }
    }
}

fn is_known(
    cache: &Cache<FindBy, Learnt<AsOf>>,
    line: &FindBy,
    since: AsOf,
    now: Duration,
) -> bool {
    cache.get(line).is_some_and(|Learnt { at, what: asked }| {
        now.saturating_sub(at) <= MISSED_FOR && asked.covers(since)
    })
}

/// Whether the patch sets the property that the line looks at.
fn sets(patch: &Patch, line: &FindBy) -> bool {
    match line {
        FindBy::Username(_) => patch.get(Field::Username).is_some(),
        FindBy::Email(_) => patch.get(Field::Email).is_some(),
        FindBy::Metadata { key, .. } => match patch.get(Field::Metadata) {
            Some(FieldValue::Metadata(entries)) => entries.iter().any(|entry| entry.key == *key),
            _ => false,
        },
    }
}

/// Whether the line may lead to somebody else once the patch is applied: it sets the property that the line looks at,
/// and to another value.
pub(super) fn moves(patch: &Patch, line: &FindBy) -> bool {
    sets(patch, line) && !new_lines(patch).contains(line)
}

/// The lines that lead to a customer once the patch is applied.
fn new_lines(patch: &Patch) -> Vec<FindBy> {
    let mut lines = Vec::new();
    if let Some(FieldValue::Text(username)) = patch.get(Field::Username) {
        lines.push(FindBy::Username(username.trim().to_owned()));
    }
    if let Some(FieldValue::Text(email)) = patch.get(Field::Email) {
        lines.push(FindBy::Email(email.trim().to_lowercase()));
    }
    if let Some(FieldValue::Metadata(entries)) = patch.get(Field::Metadata) {
        lines.extend(entries.iter().filter_map(|entry| {
            Some(FindBy::Metadata {
                key: entry.key.clone(),
                value: entry.value.as_deref()?.trim().to_owned(),
            })
        }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn username(value: &str) -> FindBy {
        FindBy::Username(value.to_owned())
    }

    fn email(value: &str) -> FindBy {
        FindBy::Email(value.to_owned())
    }

    fn id(text: &str) -> CustomerId {
        text.parse().unwrap()
    }

    fn patch(json: &str) -> Patch {
        serde_json::from_str(json).unwrap()
    }

    fn at(place: i64) -> AsOf {
        DeliveryPos(1000 + place).into()
    }

    #[test]
    fn a_binding_holds_for_its_exact_line_and_for_ten_minutes() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        assert_eq!(
            bindings.customer(&username("ana"), MINUTE * 10),
            Some(id("cus_1"))
        );
        assert_eq!(bindings.customer(&username("Ana"), MINUTE), None);
        assert_eq!(bindings.customer(&email("ana"), MINUTE), None);
        assert_eq!(bindings.customer(&username("ana"), MINUTE * 11), None);
    }

    #[test]
    fn learning_a_binding_again_prolongs_it() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        bindings.found(&username("ana"), &id("cus_2"), MINUTE * 6);
        assert_eq!(
            bindings.customer(&username("ana"), MINUTE * 15),
            Some(id("cus_2"))
        );
        assert_eq!(bindings.customer(&username("ana"), MINUTE * 17), None);
    }

    #[test]
    fn a_customer_that_is_gone_takes_all_its_bindings_along() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        bindings.found(&email("ana@x.mx"), &id("cus_1"), Duration::ZERO);
        bindings.found(&username("eva"), &id("cus_2"), Duration::ZERO);
        bindings.forget(&id("cus_1"));
        assert_eq!(bindings.customer(&username("ana"), MINUTE), None);
        assert_eq!(bindings.customer(&email("ana@x.mx"), MINUTE), None);
        assert_eq!(
            bindings.customer(&username("eva"), MINUTE),
            Some(id("cus_2"))
        );
    }

    #[test]
    fn of_an_erased_person_nothing_is_known_by_any_line() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        bindings.found(&email("ana@x.mx"), &id("cus_1"), Duration::ZERO);
        bindings.missed(&username("old"), at(0), Duration::ZERO);
        bindings.is_shared(&email("both@x.mx"), at(0), Duration::ZERO);
        bindings.found(&username("eva"), &id("cus_2"), Duration::ZERO);
        let lines = [username("ana"), username("old"), email("both@x.mx")];
        bindings.erase(None, &lines);
        for line in [&username("ana"), &email("ana@x.mx")] {
            assert_eq!(bindings.customer(line, MINUTE), None, "{line:?}");
        }
        assert!(!bindings.is_missing(&username("old"), at(-1), Duration::ZERO));
        assert!(!bindings.is_ambiguous(&email("both@x.mx"), at(-1), Duration::ZERO));
        let eva = bindings.customer(&username("eva"), MINUTE);
        assert_eq!(eva, Some(id("cus_2")));
    }

    #[test]
    fn our_own_changes_drop_what_rests_on_the_changed_property() {
        let metadata = FindBy::Metadata {
            key: "id".into(),
            value: "1".into(),
        };
        for (change, kept) in [
            (r#"{"name":"Ana"}"#, [true, true, true]),
            (r#"{"username":"ana2"}"#, [false, true, true]),
            (r#"{"email":null}"#, [true, false, true]),
            (
                r#"{"metadata":[{"key":"id","value":null}]}"#,
                [true, true, false],
            ),
            (
                r#"{"metadata":[{"key":"other","value":"1"}]}"#,
                [true, true, true],
            ),
        ] {
            let mut bindings = Bindings::default();
            let lines = [username("ana"), email("ana@x.mx"), metadata.clone()];
            for line in &lines {
                bindings.found(line, &id("cus_1"), Duration::ZERO);
            }
            bindings.changed(&id("cus_1"), &patch(change));
            let still = lines.map(|line| bindings.customer(&line, MINUTE).is_some());
            assert_eq!(still, kept, "{change}");
        }
    }

    #[test]
    fn a_value_that_moves_to_another_customer_is_forgotten_of_the_first() {
        let mut bindings = Bindings::default();
        bindings.found(&email("shared@x.mx"), &id("cus_1"), Duration::ZERO);
        bindings.missed(&username("new"), at(0), Duration::ZERO);
        bindings.changed(
            &id("cus_2"),
            &patch(r#"{"username":"new","email":"Shared@x.mx"}"#),
        );
        assert_eq!(bindings.customer(&email("shared@x.mx"), MINUTE), None);
        assert!(!bindings.is_missing(&username("new"), at(-5), Duration::from_secs(1)));
    }

    #[test]
    fn that_nobody_was_found_counts_shortly_and_only_for_what_was_accepted_or_sent_again_before() {
        let mut bindings = Bindings::default();
        bindings.missed(&username("ana"), at(0), Duration::ZERO);
        assert!(bindings.is_missing(&username("ana"), at(-1), MISSED_FOR));
        assert!(!bindings.is_missing(&username("ana"), at(1), Duration::ZERO));
        assert!(!bindings.is_missing(
            &username("ana"),
            at(-1),
            MISSED_FOR + Duration::from_millis(1)
        ));
        let sent_again = AsOf {
            redeliveries: 1,
            ..at(-1)
        };
        assert!(!bindings.is_missing(&username("ana"), sent_again, Duration::ZERO));
        bindings.is_shared(&username("ana"), at(0), Duration::ZERO);
        assert!(!bindings.is_ambiguous(&username("ana"), sent_again, Duration::ZERO));
        assert!(bindings.is_ambiguous(&username("ana"), at(-1), MISSED_FOR));
        assert!(!bindings.is_ambiguous(&username("ana"), at(1), Duration::ZERO));
        bindings.missed(&username("eva"), at(0), Duration::ZERO);
        bindings.found(&username("eva"), &id("cus_1"), Duration::ZERO);
        assert!(!bindings.is_missing(&username("eva"), at(-1), Duration::ZERO));
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut bindings = Bindings::default();
        for number in 0..CAPACITY + 10 {
            bindings.found(
                &username(&number.to_string()),
                &id(&format!("cus_{number}")),
                Duration::ZERO,
            );
        }
        for _ in 0..CAPACITY + 10 {
            bindings.found(&email("same@x.mx"), &id("cus_1"), Duration::ZERO);
        }
        bindings.found.run_pending_tasks();
        bindings.lines.run_pending_tasks();
        assert!(bindings.found.entry_count() <= CAPACITY);
        assert!(bindings.lines.entry_count() <= CAPACITY);
        let lines = bindings.lines.get(&id("cus_1")).unwrap_or_default();
        assert!(lines.len() <= 2, "learning again adds nothing: {lines:?}");
        bindings.found(&email("same@x.mx"), &id("cus_1"), Duration::ZERO);
        assert_eq!(
            bindings.customer(&email("same@x.mx"), MINUTE),
            Some(id("cus_1"))
        );
    }
}
