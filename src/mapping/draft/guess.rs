//! Which of the values of a record belong into which of Quentli's fields.
//!
//! A name proposes, the values confirm or veto, and where in the event they stand decides between several. What
//! nobody confirmed (a path that is null in every sample) is not proposed: it would clear the field.

mod candidate;
mod identity;
mod metadata;
mod name;
mod phone;

pub(super) use identity::event_id;

use self::candidate::{
    Candidate, is_email, is_moment, is_name, is_phone, is_yes_or_no, moment, root_of,
};
use super::{data::Data, gather::Gathered, spot::Step, words::Meaning};

/// What a rule makes of one record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Proposal {
    pub(super) order_by: Option<Choice>,
    /// Quentli's id of the customer.
    pub(super) id: Option<Choice>,
    /// The sender's number of the record.
    pub(super) number: Option<Choice>,
    pub(super) fields: Vec<Field>,
    /// Which metadata key gets what.
    pub(super) metadata: Vec<Field>,
    /// How much speaks for it that the record is one of a person.
    pub(super) score: i32,
    /// Whether the person's data stands in an object of its own.
    pub(super) is_nested: bool,
}

/// An expression, and the paths that would have served as well.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) expression: String,
    pub(super) others: Vec<String>,
}

/// A field of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// Where its value comes from; of several the first.
    pub(super) path: String,
    pub(super) form: Form,
    pub(super) others: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    Plain(String),
    Long {
        when: Option<String>,
        from: String,
        /// Null is among the values, and Quentli cannot clear the field.
        skips_null: bool,
        /// Some values are not what the name says.
        skips_errors: bool,
    },
    /// A yes or no, and since when.
    Since {
        flag: String,
        from: String,
    },
}

/// What was gathered, with the place where the person's data stands.
struct Records<'g> {
    gathered: &'g Gathered<'g>,
    root: &'g [Step],
}

/// How many alternatives a comment names.
const MAX_OTHERS: usize = 4;

/// Proposes fields for records of one kind.
pub(super) fn propose(gathered: &Gathered<'_>) -> Proposal {
    let mut records = Records {
        gathered,
        root: &[],
    };
    let (root, score) = records.main_root();
    records.root = root;
    let order_by = records.order_by();
    let mut fields = Vec::new();
    fields.extend(records.name());
    fields.extend(records.email());
    fields.extend(records.phones());
    fields.extend(records.invoice());
    fields.extend(records.opt_out(order_by.as_ref()));
    Proposal {
        id: records.customer_id(),
        number: records.number(),
        metadata: records.metadata(),
        order_by,
        fields,
        score,
        is_nested: !root.is_empty(),
    }
}

impl Proposal {
    /// The line that finds a customer by e-mail address.
    pub(super) fn email(&self) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == "email")?;
        // Otherwise not every value is an address, or only some events carry one.
        matches!(field.form, Form::Plain(_)).then_some(field.path.as_str())
    }

    /// Takes out what failures name so; whether it was there.
    pub(super) fn leave_out(&mut self, name: &str) -> bool {
        match name {
            "order_by" => self.order_by.take().is_some(),
            "customer.id" => self.id.take().is_some(),
            "customer.find.username" => self.number.take().is_some(),
            _ => {
                let before = self.fields.len() + self.metadata.len();
                self.fields.retain(|field| field.name != name);
                let key = name.strip_prefix("metadata.");
                self.metadata
                    .retain(|field| Some(field.name.as_str()) != key);
                self.fields.len() + self.metadata.len() < before
            }
        }
    }

    /// Whether there is something to send, and somebody to send it for.
    pub(super) fn is_update(&self) -> bool {
        let has_customer = self.id.is_some() || self.number.is_some() || self.email().is_some();
        has_customer && !(self.fields.is_empty() && self.metadata.is_empty())
    }
}

impl<'g> Records<'g> {
    /// The object that most of the person's data stands in, and how much speaks for it.
    fn main_root(&self) -> (&'g [Step], i32) {
        let worth = [
            (3, self.fitting(Meaning::Email, is_email)),
            (3, self.fitting(Meaning::Mobile, is_phone)),
            (2, self.fitting(Meaning::Phone, is_phone)),
            (2, self.fitting(Meaning::FullName, is_name)),
            (2, self.fitting(Meaning::Name, is_name)),
            (2, self.fitting(Meaning::GivenName, is_name)),
            (1, self.fitting(Meaning::FamilyName, is_name)),
            (1, self.fitting(Meaning::PaternalName, is_name)),
        ];
        let mut best: (&[Step], i32) = (&[], 0);
        let roots = worth.iter().flat_map(|(_, candidates)| candidates);
        for root in roots.map(|candidate| root_of(&candidate.found.spot)) {
            let score = worth
                .iter()
                .filter_map(|(worth, candidates)| {
                    let here = candidates
                        .iter()
                        .filter(|candidate| root_of(&candidate.found.spot) == root);
                    here.map(|candidate| worth * candidate.strength.clamp(1, 8))
                        .max()
                })
                .sum();
            if score > best.1 {
                best = (root, score);
            }
        }
        best
    }

    fn email(&self) -> Option<Field> {
        let candidates = self.fitting(Meaning::Email, is_email);
        field("email", &candidates, |path| {
            format!("{path} | lower | email")
        })
    }

    fn invoice(&self) -> Option<Field> {
        let skips = self.fitting(Meaning::SkipsInvoice, is_yes_or_no);
        let wants = self.fitting(Meaning::WantsInvoice, is_yes_or_no);
        field("skipTaxInvoice", &skips, |path| format!("{path} | bool")).or_else(|| {
            field("skipTaxInvoice", &wants, |path| {
                format!("not ({path} | bool)")
            })
        })
    }

    /// Since when no messages are wanted: a time, or a yes and no with the time beside it or of the event.
    fn opt_out(&self, order_by: Option<&Choice>) -> Option<Field> {
        const NAME: &str = "optedOutWhatsappAt";
        let times = self.fitting(Meaning::OptOut, is_moment);
        let time = times.into_iter().find_map(|candidate| {
            let moment = moment(candidate.found).filter(|_| candidate.is_whole)?;
            Some((candidate, moment.transform()))
        });
        let flags = self.fitting(Meaning::OptOut, is_yes_or_no);
        let flag = flags
            .iter()
            .find(|candidate| candidate.is_whole && !candidate.travels_alone());
        let Some(flag) = flag else {
            let (candidate, transform) = time?;
            return field(NAME, &[candidate], |path| format!("{path} | {transform}"));
        };
        let since = match time.filter(|(candidate, _)| !candidate.travels_alone()) {
            Some((candidate, transform)) => format!("{} | {transform}", candidate.path()),
            None => order_by?.expression.clone(),
        };
        Some(Field {
            name: NAME.to_owned(),
            path: flag.path(),
            form: Form::Since {
                flag: flag.path(),
                from: since,
            },
            others: Vec::new(),
        })
    }
}
fn choice(mut expressions: impl Iterator<Item = String>) -> Option<Choice> {
    let expression = expressions.next()?;
    let mut others: Vec<String> = Vec::new();
    for other in expressions {
        if other != expression && !others.contains(&other) && others.len() < MAX_OTHERS {
            others.push(other);
        }
    }
    Some(Choice { expression, others })
}

/// A field of the best candidate; where properties travel one at a time, under the condition that it is this one.
fn field(name: &str, candidates: &[Candidate<'_>], from: impl Fn(&str) -> String) -> Option<Field> {
    let (best, rest) = candidates.split_first()?;
    let path = best.path();
    let when = best.found.spot.condition();
    let cannot_clear =
        crate::customer::Field::from_name(name).is_some_and(|field| !field.is_nullable());
    let skips_null = cannot_clear
        && best
            .found
            .values
            .iter()
            .any(|(_, value)| **value == Data::Null);
    let form = if when.is_none() && best.is_whole && !skips_null {
        Form::Plain(from(&path))
    } else {
        Form::Long {
            when,
            from: from(&path),
            skips_null,
            skips_errors: !best.is_whole,
        }
    };
    Some(Field {
        name: name.to_owned(),
        form,
        others: others(rest, &path),
        path,
    })
}

fn others(rest: &[Candidate<'_>], chosen: &str) -> Vec<String> {
    let mut others: Vec<String> = Vec::new();
    for candidate in rest {
        let path = candidate.path();
        if path != chosen && !others.contains(&path) && others.len() < MAX_OTHERS {
            others.push(path);
        }
    }
    others
}
