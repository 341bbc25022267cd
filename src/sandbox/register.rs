//! All customers of the sandbox, with what must be unique among them.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    Refusal,
    field::{Change, Kind},
    query::{Filter, ListQuery, Operator, Order},
    record::Record,
};

/// What no two customers of an organisation may share.
const UNIQUE: [&str; 3] = ["username", "email", "phoneNumber"];

pub(super) struct Register {
    capacity: usize,
    /// How many identifiers have been given out.
    issued: u64,
    /// By number, which is the order of creation.
    records: BTreeMap<u64, Record>,
    numbers: HashMap<String, u64>,
    /// The owner's number by field and value.
    owners: HashMap<(&'static str, String), u64>,
}

impl Register {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            issued: 0,
            records: BTreeMap::new(),
            numbers: HashMap::new(),
            owners: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Forgets everybody, and starts again with the first identifier.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(self.numbers.get(id)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The identifier of the customer that has this value in one of the unique fields.
    pub(super) fn id_of(&self, field: &'static str, value: &str) -> Option<&str> {
        let number = self.owners.get(&(field, folded(field, value)))?;
        self.records.get(number).map(Record::id)
    }

    /// Adds a customer by hand; gives its identifier.
    pub(super) fn add(&mut self, customer: &Value, now: Timestamp) -> Result<String, Refusal> {
        let mut fields = customer
            .as_object()
            .cloned()
            .ok_or_else(|| Refusal::new(400, "a customer must be an object"))?;
        let id = match fields.remove("id") {
            None => None,
            Some(Value::String(id)) if !id.is_empty() => Some(id),
            Some(_) => return Err(Refusal::new(400, "id must be a text")),
        };
        if let Some(unknown) = Change::read(&fields, Kind::Seed)?.unknown.first() {
            return Err(Refusal::new(
                400,
                format!("{unknown} is no field of a customer"),
            ));
        }
        if !fields.contains_key("name") {
            let name = fields.get("username").cloned();
            fields.insert("name".to_owned(), name.unwrap_or_else(|| json!("Sandbox")));
        }
        self.insert(id, &fields, Kind::Seed, now)
            .map(|(record, _)| record.id().to_owned())
    }

    /// Creates a customer; gives it, and the names in the request that mean nothing.
    pub(super) fn create(
        &mut self,
        fields: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(&Record, Vec<String>), Refusal> {
        if !fields.contains_key("name") {
            return Err(Refusal::new(400, "name is required"));
        }
        self.insert(None, fields, Kind::Create, now)
    }

    fn insert(
        &mut self,
        id: Option<String>,
        fields: &Map<String, Value>,
        kind: Kind,
        now: Timestamp,
    ) -> Result<(&Record, Vec<String>), Refusal> {
        let mut change = Change::read(fields, kind)?;
        if self.records.len() >= self.capacity {
            return Err(Refusal::new(503, "the sandbox is full"));
        }
        let number = self.issued;
        let id = id.unwrap_or_else(|| identifier(number));
        if self.numbers.contains_key(&id) {
            return Err(Refusal::new(400, "a customer with this id already exists"));
        }
        if change.values.get("username").is_none_or(Value::is_null) {
            // As in an organisation with automatic numbering.
            change
                .values
                .insert("username", json!(self.free_username()));
        }
        self.check_unique(&change, None)?;
        self.issued = self.issued.saturating_add(1);
        let mut record = Record::new(id.clone(), now);
        record.apply(&change, now);
        self.claim(&change, number);
        self.numbers.insert(id, number);
        Ok((self.records.entry(number).or_insert(record), change.unknown))
    }

    /// Changes a customer; gives it, and the names in the request that mean nothing.
    pub(super) fn update(
        &mut self,
        id: &str,
        fields: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(&Record, Vec<String>), Refusal> {
        let number = *self
            .numbers
            .get(id)
            .ok_or_else(|| Refusal::new(404, "Customer not found"))?;
        let change = Change::read(fields, Kind::Update)?;
        self.check_unique(&change, Some(number))?;
        self.release(&change, number);
        self.claim(&change, number);
        let record = self
            .records
            .get_mut(&number)
            .expect("every identifier has a record");
        record.apply(&change, now);
        Ok((record, change.unknown))
    }

    /// Removes a customer, and frees what is unique of it. Those behind it move up in the list.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let removed = self
            .numbers
            .remove(id)
            .and_then(|number| self.records.remove(&number));
        let Some(record) = removed else { return false };
        for field in UNIQUE {
            if let Some(value) = record.text(field) {
                self.owners.remove(&(field, folded(field, value)));
            }
        }
        true
    }

    /// A page of the list.
    pub(super) fn list(&self, query: &ListQuery) -> Vec<Value> {
        // An equality on a unique field has at most one answer, which the index knows.
        let candidate = query.filters.iter().find_map(|filter| {
            (filter.operator == Operator::Equals && UNIQUE.contains(&filter.field)).then(|| {
                self.owners
                    .get(&(filter.field, folded(filter.field, &filter.value)))
            })
        });
        let all: Box<dyn Iterator<Item = &Record>> = match (candidate, query.order) {
            (Some(number), _) => Box::new(
                number
                    .and_then(|number| self.records.get(number))
                    .into_iter(),
            ),
            (None, Order::OldestFirst) => Box::new(self.records.values()),
            (None, Order::NewestFirst) => Box::new(self.records.values().rev()),
        };
        all.filter(|record| query.filters.iter().all(|filter| passes(record, filter)))
            .skip(query.skip)
            .take(query.take)
            .map(Record::shown)
            .collect()
    }

    fn check_unique(&self, change: &Change, owner: Option<u64>) -> Result<(), Refusal> {
        for field in UNIQUE {
            let Some(value) = change.values.get(field).and_then(Value::as_str) else {
                continue;
            };
            let holder = self.owners.get(&(field, folded(field, value)));
            if holder.is_some_and(|holder| Some(*holder) != owner) {
                return Err(Refusal::new(
                    400,
                    format!("A customer with this {field} already exists"),
                ));
            }
        }
        Ok(())
    }

    /// Gives up the unique values that a change replaces.
    fn release(&mut self, change: &Change, number: u64) {
        let Some(record) = self.records.get(&number) else {
            return;
        };
        for field in UNIQUE {
            if change.values.contains_key(field)
                && let Some(old) = record.text(field)
            {
                self.owners.remove(&(field, folded(field, old)));
            }
        }
    }

    fn claim(&mut self, change: &Change, number: u64) {
        for field in UNIQUE {
            if let Some(value) = change.values.get(field).and_then(Value::as_str) {
                self.owners.insert((field, folded(field, value)), number);
            }
        }
    }

    fn free_username(&self) -> String {
        (self.issued..=u64::MAX)
            .map(|number| format!("{:010}", number.saturating_add(1)))
            .find(|name| self.id_of("username", name).is_none())
            .expect("there are more numbers than customers")
    }
}

/// Whether a record passes a filter. That Quentli compares e-mail addresses without regard to case is a guess.
fn passes(record: &Record, filter: &Filter) -> bool {
    let Some(value) = record.text(filter.field) else {
        return false;
    };
    let value = folded(filter.field, value);
    let wanted = folded(filter.field, &filter.value);
    match filter.operator {
        Operator::Equals => value == wanted,
        Operator::Contains => value.to_lowercase().contains(&wanted.to_lowercase()),
    }
}

fn folded(field: &str, value: &str) -> String {
    if field == "email" {
        value.to_lowercase()
    } else {
        value.to_owned()
    }
}

/// An identifier that looks like Quentli's: a prefix and twenty letters and digits, always the same for a number.
fn identifier(number: u64) -> String {
    const ALPHABET: [char; 36] = [
        'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r',
        's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ];
    let digest = Sha256::digest(number.to_be_bytes());
    let characters = digest
        .iter()
        .take(20)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
    "cus_".chars().chain(characters.copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-15T10:00:00Z".parse().unwrap()
    }

    fn fields(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_unique_is_freed_when_it_changes() {
        let mut register = Register::new(10);
        let first = json!({"username": "1", "email": "Ana@x.mx", "phoneNumber": "+525512345678"});
        let first = register.add(&first, now()).unwrap();
        let second = register.add(&json!({"username": "2"}), now()).unwrap();
        for taken in [
            json!({"username": "1"}),
            json!({"email": "ana@X.MX"}),
            json!({"phoneNumber": "+525512345678"}),
        ] {
            let refusal = register.update(&second, &fields(&taken), now());
            assert_eq!(refusal.err().unwrap().status, 400, "{taken}");
        }
        let own = json!({"username": "1", "email": "ana@x.mx"});
        assert!(register.update(&first, &fields(&own), now()).is_ok());
        let given_up = json!({"email": null, "phoneNumber": "+525512345679"});
        assert!(register.update(&first, &fields(&given_up), now()).is_ok());
        let free = json!({"email": "ana@x.mx", "phoneNumber": "+525512345678"});
        assert!(register.update(&second, &fields(&free), now()).is_ok());
        assert_eq!(register.id_of("email", "ANA@x.mx"), Some(second.as_str()));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut register = Register::new(10);
        register.add(&json!({"username": "1"}), now()).unwrap();
        let second = register.add(&json!({"username": "2"}), now()).unwrap();
        let before = register.get(&second).unwrap().whole();
        for refused in [
            json!({"name": "New", "username": "1"}),
            json!({"name": "New", "email": 7}),
        ] {
            assert!(register.update(&second, &fields(&refused), now()).is_err());
        }
        assert_eq!(register.get(&second).unwrap().whole(), before);
    }

    #[test]
    fn whoever_is_removed_leaves_the_list_and_frees_what_is_unique() {
        let mut register = Register::new(10);
        let first = register.add(&json!({"username": "1"}), now()).unwrap();
        let second = register.add(&json!({"username": "2"}), now()).unwrap();
        assert!(register.remove(&first) && !register.remove(&first));
        assert!(register.add(&json!({"username": "1"}), now()).is_ok());
        let page = register.list(&ListQuery::read("take=1").unwrap());
        assert_eq!(page[0]["id"], json!(second));
    }

    #[test]
    fn identifiers_look_like_quentlis_and_are_the_same_in_every_run() {
        let mut register = Register::new(10);
        let id = register.add(&json!({"username": "1"}), now()).unwrap();
        assert!(id.starts_with("cus_") && id.len() == 24, "{id}");
        assert_eq!(id, identifier(0));
        assert_ne!(id, identifier(1));
    }

    #[test]
    fn the_number_of_customers_is_bounded() {
        let mut register = Register::new(1);
        register.add(&json!({}), now()).unwrap();
        assert_eq!(register.add(&json!({}), now()).unwrap_err().status, 503);
    }
}
