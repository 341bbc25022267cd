//! The query of `GET /v1/customers`, in nested form (`filter[username][equals]=…`).
//!
//! Parameters, fields and operators that are not known are ignored: so does Quentli, as users of its API report.

use serde_json::{Value, json};

use super::Refusal;

/// The most customers on one page, and the number where none is asked for.
const MAX_TAKE: usize = 100;
const DEFAULT_TAKE: usize = 20;

/// What a list request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) skip: usize,
    pub(super) take: usize,
    pub(super) order: Order,
    /// A record must pass all of them.
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) field: &'static str,
    pub(super) operator: Operator,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    Contains,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

const FIELDS: [&str; 4] = ["username", "email", "name", "phoneNumber"];

impl ListQuery {
    /// Reads the query part of an address.
    pub(super) fn read(query: &str) -> Result<Self, Refusal> {
        let mut list = Self {
            skip: 0,
            take: DEFAULT_TAKE,
            order: Order::OldestFirst,
            filters: Vec::new(),
        };
        let mut issues = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "skip" => match value.parse() {
                    Ok(skip) => list.skip = skip,
                    Err(_) => issues.push(issue("skip", "must be a whole number from 0")),
                },
                "take" => match value.parse() {
                    Ok(take @ 1..=MAX_TAKE) => list.take = take,
                    _ => issues.push(issue("take", "must be a whole number from 1 to 100")),
                },
                "orderBy[createdAt]" => match &*value {
                    "asc" => list.order = Order::OldestFirst,
                    "desc" => list.order = Order::NewestFirst,
                    _ => issues.push(issue("orderBy", "must be asc or desc")),
                },
                name => {
                    if let Some((field, operator)) = read_filter(name) {
                        list.filters.push(Filter {
                            field,
                            operator,
                            value: value.into_owned(),
                        });
                    }
                }
            }
        }
        if issues.is_empty() {
            Ok(list)
        } else {
            Err(Refusal {
                status: 400,
                message: "Validation error".to_owned(),
                issues,
            })
        }
    }
}

fn read_filter(name: &str) -> Option<(&'static str, Operator)> {
    let (field, rest) = name.strip_prefix("filter[")?.split_once(']')?;
    let operator = match rest {
        "[equals]" => Operator::Equals,
        "[contains]" => Operator::Contains,
        _ => return None,
    };
    let field = FIELDS.into_iter().find(|known| *known == field)?;
    Some((field, operator))
}

/// The fields of an issue are not published; these are the usual ones of validators.
fn issue(parameter: &str, message: &str) -> Value {
    json!({"path": [parameter], "message": message})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_read_and_others_ignored() {
        let list = ListQuery::read(
            "take=2&skip=40&limit=7&orderBy%5BcreatedAt%5D=desc&filter%5Busername%5D%5Bequals%5D=a%2B1&filter[email][contains]=x&filter[age][equals]=5&filter[name][like]=x&filter=username%5Bequals%5D%3D1&username=7",
        )
        .unwrap();
        let filter = |field, operator, value: &str| Filter {
            field,
            operator,
            value: value.to_owned(),
        };
        assert_eq!(
            list,
            ListQuery {
                skip: 40,
                take: 2,
                order: Order::NewestFirst,
                filters: vec![
                    filter("username", Operator::Equals, "a+1"),
                    filter("email", Operator::Contains, "x"),
                ],
            }
        );
    }

    #[test]
    fn impossible_pages_are_refused_with_issues() {
        for query in [
            "take=0",
            "take=101",
            "take=x",
            "skip=-1",
            "orderBy[createdAt]=up",
        ] {
            let refusal = ListQuery::read(query).unwrap_err();
            assert_eq!((refusal.status, refusal.issues.len()), (400, 1), "{query}");
        }
        assert_eq!(
            ListQuery::read("take=0&skip=x").unwrap_err().issues.len(),
            2
        );
    }
}
