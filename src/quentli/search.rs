//! Looking for one customer by a property, without believing the answer.
//!
//! Quentli's list endpoint takes filters in nested form (`filter[username][equals]=…`) and ignores parameters that it
//! does not know, so that a filter it did not understand gives the first customers of the organisation. Every
//! returned record is therefore compared with the value asked for.

use crate::customer::FindBy;

use super::{Customer, Found};

/// How many records a search asks for: the most that Quentli gives at once.
///
/// A filter that was applied returns at most a handful. A full page is thus the sign of a filter that was ignored,
/// and a page that is not full has shown everybody, so that "not among them" can be believed even then. With a
/// smaller page an organisation of a few customers could not be told from an ignored filter.
pub(super) const PAGE: usize = 100;

/// A property that Quentli's list can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Search<'a> {
    Username(&'a str),
    Email(&'a str),
}

impl<'a> Search<'a> {
    /// The search for a line of `find`. `None` for metadata: Quentli documents no filter for it, so that only a scan
    /// of all customers can answer.
    pub fn of(line: &'a FindBy) -> Option<Self> {
        match line {
            FindBy::Username(value) => Some(Self::Username(value)),
            FindBy::Email(value) => Some(Self::Email(value)),
            FindBy::Metadata { .. } => None,
        }
    }

    /// Name and value of the query parameter.
    pub(super) fn filter(self) -> (&'static str, &'a str) {
        match self {
            Self::Username(value) => ("filter[username][equals]", value),
            Self::Email(value) => ("filter[email][equals]", value),
        }
    }

    /// Whether a record has exactly this value. User names are compared as they are, since leading zeros and case may
    /// matter; e-mail addresses without regard to case and surrounding white space.
    pub fn is_met_by(self, customer: &Customer) -> bool {
        match self {
            Self::Username(value) => customer.username.as_deref() == Some(value),
            Self::Email(value) => customer
                .email
                .as_deref()
                .is_some_and(|email| folded(email) == folded(value)),
        }
    }

    /// What a page of answers says. `None` when it says nothing: it is full, and nobody on it has the value, so that
    /// the filter was ignored and the right customer may be on another page.
    pub(super) fn judge(self, page: Vec<Customer>) -> Option<Found> {
        let full = page.len() >= PAGE;
        let mut exact = page.into_iter().filter(|customer| self.is_met_by(customer));
        match (exact.next(), exact.next()) {
            (Some(customer), None) => Some(Found::One(customer)),
            (Some(_), Some(_)) => Some(Found::Several),
            (None, _) if full => None,
            (None, _) => Some(Found::None),
        }
    }
}

fn folded(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Names the property and hides the value, which is personal data.
impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Username(_) => "Search::Username",
            Self::Email(_) => "Search::Email",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(number: usize, username: &str, email: Option<&str>) -> Customer {
        Customer {
            id: format!("cus_{number}").parse().unwrap(),
            username: Some(username.to_owned()),
            email: email.map(str::to_owned),
            metadata: None,
        }
    }

    #[test]
    fn only_exact_matches_count() {
        let similar = || {
            vec![
                customer(1, "0123", None),
                customer(2, "123 ", None),
                customer(3, "1234", None),
            ]
        };
        let search = Search::Username("123");
        assert_eq!(search.judge(similar()), Some(Found::None));
        let mut page = similar();
        page.push(customer(4, "123", None));
        assert_eq!(
            search.judge(page.clone()),
            Some(Found::One(customer(4, "123", None)))
        );
        page.push(customer(5, "123", None));
        assert_eq!(search.judge(page), Some(Found::Several));
    }

    #[test]
    fn an_address_is_the_same_in_any_case() {
        let page = vec![
            customer(1, "a", Some(" Íñigo@Example.MX ")),
            customer(2, "b", Some("xíñigo@example.mx")),
            customer(3, "c", None),
        ];
        let found = Search::Email("íñigo@example.mx").judge(page);
        let Some(Found::One(customer)) = found else {
            panic!("{found:?}");
        };
        assert_eq!(customer.id.as_str(), "cus_1");
    }

    #[test]
    fn a_full_page_of_strangers_says_nothing() {
        let strangers: Vec<Customer> = (0..PAGE)
            .map(|number| customer(number, &format!("u{number}"), None))
            .collect();
        assert_eq!(Search::Username("ana").judge(strangers.clone()), None);
        assert!(matches!(
            Search::Username("u7").judge(strangers),
            Some(Found::One(_))
        ));
    }
}
