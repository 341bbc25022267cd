//! Compares what the sandbox recorded with `customer.schema.json`: what was sent to it, and what it answered.

use jsonschema::Validator;
use quentli_gateway::sandbox::{End, Exchange};
use serde_json::{Value, json};

/// The compiled schema, one part for each kind of body.
pub(crate) struct Checker {
    update: Validator,
    create: Validator,
    changed: Validator,
    customer: Validator,
    list: Validator,
    error: Validator,
}

impl Checker {
    pub(crate) fn new() -> Self {
        let text = include_str!("../../src/quentli/customer.schema.json");
        let schema: Value = serde_json::from_str(text).unwrap();
        let part = |name: &str| {
            let part = json!({
                "$schema": schema["$schema"],
                "$ref": format!("#/$defs/{name}"),
                "$defs": schema["$defs"],
            });
            jsonschema::options()
                .should_validate_formats(true)
                .build(&part)
                .unwrap()
        };
        Self {
            update: part("UpdateCustomerRequest"),
            create: part("CreateCustomerRequest"),
            changed: part("UpdateCustomerResponse"),
            customer: part("Customer"),
            list: part("CustomerList"),
            error: part("ErrorBody"),
        }
    }

    /// What is wrong with these exchanges, one line each. Answers that a fault made odd on purpose are left out;
    /// their requests are not.
    pub(crate) fn problems(&self, exchanges: &[Exchange]) -> Vec<String> {
        let mut problems = Vec::new();
        for exchange in exchanges {
            let request = match exchange.method.as_str() {
                "PATCH" => Some(&self.update),
                "POST" => Some(&self.create),
                _ => None,
            };
            let mut found = request.map_or_else(Vec::new, |schema| {
                compare(schema, &exchange.request, "request")
            });
            for name in &exchange.unknown_fields {
                found.push(format!("request: `{name}` is no field of Quentli's"));
            }
            if let End::Answered(status) = exchange.end
                && !exchange.is_odd()
            {
                let schema = match (status, exchange.method.as_str()) {
                    (200, "PATCH" | "POST") => &self.changed,
                    (200, _) if exchange.customer.is_some() => &self.customer,
                    (200, _) => &self.list,
                    _ => &self.error,
                };
                // A read of an unknown customer may be answered with null.
                let missing =
                    status == 200 && exchange.method == "GET" && exchange.customer.is_some();
                if !(missing && exchange.response.as_ref() == b"null") {
                    found.extend(compare(schema, &exchange.response, "answer"));
                }
            }
            problems.extend(
                found
                    .into_iter()
                    .map(|found| format!("{exchange:?}: {found}")),
            );
        }
        problems
    }
}

fn compare(schema: &Validator, body: &[u8], what: &str) -> Vec<String> {
    match serde_json::from_slice(body) {
        Ok(body) => schema
            .iter_errors(&body)
            .map(|error| format!("{what}{}: {error}", error.instance_path()))
            .collect(),
        Err(error) => vec![format!("{what}: not JSON: {error}")],
    }
}
