//! The rules of a draft: one for each kind of event that the samples show.

use super::{
    events::{self, EventType},
    records::{self, Item, Scope},
    spot::quoted,
    words::Verb,
};

/// A rule, before it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) when: Option<String>,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Drop(&'static str),
    Update(Box<Scope>),
}

/// The rules, in order, and the texts that their conditions compare with.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) literals: Vec<String>,
}

const TESTED: &str = "connection test";
const DELETED: &str = "a customer stays in Quentli when the record is deleted";
const NOTHING: &str = "these events carry no data of a person who can be found in Quentli";

/// Items whose types say that they are about one kind of record.
struct Cluster<'t> {
    about: String,
    types: Vec<String>,
    items: Vec<Item<'t>>,
}

/// What becomes of events of these types.
struct Update {
    types: Vec<String>,
    /// The path and value that say what kind of record it is.
    entity: Option<(String, String)>,
    action: Action,
}

pub(super) fn rules(items: &[Item<'_>], event_type: Option<&EventType>) -> Rules {
    let Some(event_type) = event_type else {
        let rule = match action(items) {
            Some(action) => Rule {
                name: "every event".to_owned(),
                when: None,
                action,
            },
            None => drop_rule("every event".to_owned(), None, NOTHING),
        };
        return Rules {
            rules: vec![rule],
            literals: Vec::new(),
        };
    };
    let mut tested: Vec<String> = Vec::new();
    let mut deleted: Vec<String> = Vec::new();
    let mut clusters: Vec<Cluster<'_>> = Vec::new();
    for (item, value) in items.iter().zip(&event_type.values) {
        let Some(value) = value else { continue };
        let sense = events::sense(value);
        match sense.verb {
            Some(Verb::Tested) => push_new(&mut tested, value),
            Some(Verb::Deleted) => push_new(&mut deleted, value),
            Some(Verb::Created | Verb::Changed) | None => {
                // Without a verb the value itself is the kind.
                match clusters
                    .iter_mut()
                    .find(|cluster| cluster.about == sense.about)
                {
                    Some(cluster) => {
                        push_new(&mut cluster.types, value);
                        cluster.items.push(*item);
                    }
                    None => clusters.push(Cluster {
                        about: sense.about,
                        types: vec![value.clone()],
                        items: vec![*item],
                    }),
                }
            }
        }
    }
    let mut made = Rules::default();
    made.put_drop(event_type, &tested, TESTED);
    made.put_drop(event_type, &deleted, DELETED);
    let mut nothing: Vec<String> = Vec::new();
    let mut updates: Vec<Update> = Vec::new();
    for cluster in clusters {
        let Some(action) = action(&cluster.items) else {
            nothing.extend(cluster.types);
            continue;
        };
        let entity = events::entity(&cluster.items)
            .filter(|(path, _)| Some(path) != event_type.path.as_ref());
        // What is done alike is said once.
        match updates
            .iter_mut()
            .find(|update| update.entity == entity && update.action == action)
        {
            Some(update) => update.types.extend(cluster.types),
            None => updates.push(Update {
                types: cluster.types,
                entity,
                action,
            }),
        }
    }
    for update in updates {
        let mut when = event_type.condition(&update.types);
        if let Some((path, value)) = update.entity {
            when = format!("{path} == {} and {when}", quoted(&value));
            made.literals.push(value);
        }
        made.rules.push(Rule {
            name: name_of(&update.types),
            when: Some(when),
            action: update.action,
        });
        made.literals.extend(update.types);
    }
    made.put_drop(event_type, &nothing, NOTHING);
    made
}

impl Rule {
    pub(super) fn is_update(&self) -> bool {
        matches!(self.action, Action::Update(_))
    }
}

impl Rules {
    fn put_drop(&mut self, event_type: &EventType, types: &[String], reason: &'static str) {
        if !types.is_empty() {
            let when = event_type.condition(types);
            self.rules
                .push(drop_rule(name_of(types), Some(when), reason));
            self.literals.extend_from_slice(types);
        }
    }

    /// What rules propose, where they update.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.rules.iter().filter_map(|rule| match &rule.action {
            Action::Update(scope) => Some(scope.as_ref()),
            Action::Drop(_) => None,
        })
    }

    /// Takes a field out of the rule of a name; whether it was there. An update that has lost what it needs becomes a
    /// drop.
    pub(super) fn leave_out(&mut self, name: &str, field: &str) -> bool {
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.name == name) else {
            return false;
        };
        let Action::Update(scope) = &mut rule.action else {
            return false;
        };
        let was_there = scope.proposal.leave_out(field);
        if !scope.proposal.is_update() {
            rule.action = Action::Drop(NOTHING);
        }
        was_there
    }
}

/// An update of the records in these items; none where they are nobody's or say nothing.
fn action(items: &[Item<'_>]) -> Option<Action> {
    let scope = records::scope(items);
    scope
        .proposal
        .is_update()
        .then(|| Action::Update(Box::new(scope)))
}

fn drop_rule(name: String, when: Option<String>, reason: &'static str) -> Rule {
    Rule {
        name,
        when,
        action: Action::Drop(reason),
    }
}

fn push_new(list: &mut Vec<String>, value: &str) {
    if !list.iter().any(|known| known == value) {
        list.push(value.to_owned());
    }
}

/// `contact.created, contact.updated and 3 more`
fn name_of(types: &[String]) -> String {
    match types {
        [one, two, rest @ ..] if !rest.is_empty() => {
            format!("{one}, {two} and {} more", rest.len())
        }
        few => few.join(" and "),
    }
}
