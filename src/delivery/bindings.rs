//! Which customer a username or an address led to, remembered for a short while.
//!
//! A binding holds for exactly the line that was looked for. It is forgotten after a few minutes, when one of our
//! own changes touches the property it rests on, and when Quentli no longer knows the customer. That nobody was
//! found is remembered too, much shorter, and counts only for deliveries accepted before it was asked.
//!
//! The memory is bounded: beyond its capacity the oldest entries go. Entries of one kind all live equally long, so
//! the oldest is always the next to expire and a queue is all the book-keeping there is.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use crate::customer::{CustomerId, Field, FieldValue, FindBy, Patch};

const FOUND_FOR: Duration = Duration::from_mins(10);
const MISSED_FOR: Duration = Duration::from_secs(30);
const CAPACITY: usize = 50_000;

/// What is remembered of look-ups.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    found: Remembered<CustomerId>,
    missed: Remembered<Timestamp>,
    /// The lines that lead to a customer, to forget them together.
    lines: HashMap<CustomerId, Vec<FindBy>>,
}

#[derive(Debug)]
struct Remembered<T> {
    entries: HashMap<FindBy, (Duration, T)>,
    /// In the order of learning. An entry that was learnt again or forgotten leaves a place behind, which is
    /// recognised by its time.
    order: VecDeque<(Duration, FindBy)>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl Bindings {
    /// The customer that this line led to lately.
    pub(super) fn customer(&mut self, line: &FindBy, now: Duration) -> Option<&CustomerId> {
        self.expire(now);
        self.found.entries.get(line).map(|(_, customer)| customer)
    }

    /// Whether lately, and after `accepted_at`, nobody was found by this line.
    pub(super) fn is_missing(
        &mut self,
        line: &FindBy,
        accepted_at: Timestamp,
        now: Duration,
    ) -> bool {
        self.expire(now);
        self.missed
            .entries
            .get(line)
            .is_some_and(|(_, asked_at)| *asked_at >= accepted_at)
    }

    /// A line led to a customer.
    pub(super) fn found(&mut self, line: &FindBy, customer: &CustomerId, now: Duration) {
        self.forget_line(line);
        self.missed.entries.remove(line);
        self.lines
            .entry(customer.clone())
            .or_default()
            .push(line.clone());
        self.found.learn(line, customer.clone(), now);
        self.expire(now);
    }

    /// A line, looked for at `asked_at`, led to nobody.
    pub(super) fn missed(&mut self, line: &FindBy, asked_at: Timestamp, now: Duration) {
        self.forget_line(line);
        self.missed.learn(line, asked_at, now);
        self.expire(now);
    }

    /// Somebody whom these lines lead to may exist by now.
    pub(super) fn may_exist(&mut self, lines: &[FindBy]) {
        for line in lines {
            self.missed.entries.remove(line);
        }
    }

    /// Quentli does not know the customer any more.
    pub(super) fn forget(&mut self, customer: &CustomerId) {
        for line in self.lines.remove(customer).unwrap_or_default() {
            self.found.entries.remove(&line);
        }
    }

    /// We sent this change for the customer: what rests on the properties it sets is not known any more, whether it
    /// leads to this customer or, for the new values, to nobody or another.
    pub(super) fn changed(&mut self, customer: &CustomerId, patch: &Patch) {
        let touched: Vec<FindBy> = self
            .lines
            .get(customer)
            .into_iter()
            .flatten()
            .filter(|line| sets(patch, line))
            .cloned()
            .collect();
        for line in touched.iter().chain(&new_lines(patch)) {
            self.forget_line(line);
            self.missed.entries.remove(line);
        }
    }

    fn forget_line(&mut self, line: &FindBy) {
        if let Some((_, customer)) = self.found.entries.remove(line)
            && let Some(lines) = self.lines.get_mut(&customer)
        {
            lines.retain(|other| other != line);
            if lines.is_empty() {
                self.lines.remove(&customer);
            }
        }
    }

    fn expire(&mut self, now: Duration) {
        while let Some(line) = self.found.next_expired(FOUND_FOR, now) {
            self.forget_line(&line);
        }
        while let Some(line) = self.missed.next_expired(MISSED_FOR, now) {
            self.missed.entries.remove(&line);
        }
    }
}

impl<T> Remembered<T> {
    fn learn(&mut self, line: &FindBy, value: T, now: Duration) {
        self.entries.insert(line.clone(), (now, value));
        self.order.push_back((now, line.clone()));
    }

    /// Takes the oldest place out of the queue where its entry must go; skips places whose entry is gone or newer.
    fn next_expired(&mut self, lives_for: Duration, now: Duration) -> Option<FindBy> {
        loop {
            let (learnt, line) = self.order.front()?;
            let is_current = self.entries.get(line).is_some_and(|(at, _)| at == learnt);
            let is_old = now.saturating_sub(*learnt) > lives_for || self.order.len() > CAPACITY;
            if is_current && !is_old {
                return None;
            }
            let (_, line) = self.order.pop_front()?;
            if is_current {
                return Some(line);
            }
        }
    }
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

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_binding_holds_for_its_exact_line_and_for_ten_minutes() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        assert_eq!(
            bindings.customer(&username("ana"), MINUTE * 10),
            Some(&id("cus_1"))
        );
        assert_eq!(bindings.customer(&username("Ana"), MINUTE), None);
        assert_eq!(bindings.customer(&email("ana"), MINUTE), None);
        assert_eq!(bindings.customer(&username("ana"), MINUTE * 11), None);
        assert!(bindings.lines.is_empty(), "something is left of it");
    }

    #[test]
    fn learning_a_binding_again_prolongs_it() {
        let mut bindings = Bindings::default();
        bindings.found(&username("ana"), &id("cus_1"), Duration::ZERO);
        bindings.found(&username("ana"), &id("cus_2"), MINUTE * 6);
        assert_eq!(
            bindings.customer(&username("ana"), MINUTE * 15),
            Some(&id("cus_2"))
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
            Some(&id("cus_2"))
        );
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
    fn that_nobody_was_found_counts_shortly_and_only_for_what_was_accepted_before() {
        let mut bindings = Bindings::default();
        bindings.missed(&username("ana"), at(0), Duration::ZERO);
        assert!(bindings.is_missing(&username("ana"), at(-1), MISSED_FOR));
        assert!(!bindings.is_missing(&username("ana"), at(1), Duration::ZERO));
        assert!(!bindings.is_missing(
            &username("ana"),
            at(-1),
            MISSED_FOR + Duration::from_millis(1)
        ));
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
        assert!(bindings.found.entries.len() <= CAPACITY);
        assert!(bindings.found.order.len() <= CAPACITY);
        assert!(bindings.lines.len() <= CAPACITY);
        assert_eq!(
            bindings.customer(&email("same@x.mx"), MINUTE),
            Some(&id("cus_1"))
        );
    }
}
