//! The page for people: what the customers look like now, and what was asked last.

use std::fmt::{self, Write as _};

use axum::{
    extract::State as Shared,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{End, Exchange, Sandbox};

/// How many customers and requests are shown.
const MAX_ROWS: usize = 100;

/// The longest cell, in characters.
const MAX_CELL: usize = 300;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\">\
<title>Quentli sandbox</title><style>\
body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color-scheme:light dark}\
table{border-collapse:collapse;margin:0 0 2rem}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8886}\
td{overflow-wrap:anywhere}code{font-size:13px}\
</style></head><body>\n<h1>Quentli sandbox</h1>\n\
<p>A stand-in for Quentli. Nothing here is real, and nothing is kept.</p>\n";

pub(super) async fn show(Shared(sandbox): Shared<Sandbox>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ];
    (headers, render(&sandbox)).into_response()
}

fn render(sandbox: &Sandbox) -> String {
    let mut page = HEAD.to_owned();
    write_page(sandbox, &mut page).expect("writing to a String cannot fail");
    page
}

fn write_page(sandbox: &Sandbox, page: &mut String) -> fmt::Result {
    let faults = sandbox.faults();
    if !faults.is_empty() {
        writeln!(page, "<h2>Faults</h2>\n<table><tr><th>Fault<th>Order</tr>")?;
        for fault in faults.iter().take(MAX_ROWS) {
            let order = serde_json::to_string(fault).map_err(|_| fmt::Error)?;
            let name = fault.action.as_str();
            writeln!(page, "<tr><td>{name}<td><code>{}</code></tr>", Text(&order))?;
        }
        writeln!(page, "</table>")?;
    }

    let count = sandbox.customer_count();
    writeln!(
        page,
        "<h2>Customers ({count})</h2>\n<table><tr><th>Id<th>User name<th>Name<th>E-mail<th>Telephone<th>Metadata<th>Changed</tr>"
    )?;
    for customer in sandbox.customers(count.saturating_sub(MAX_ROWS), MAX_ROWS) {
        let text = |name| customer.get(name).and_then(Value::as_str).unwrap_or("");
        let metadata = customer
            .get("meta")
            .map(Value::to_string)
            .unwrap_or_default();
        writeln!(
            page,
            "<tr><td><code>{}</code><td>{}<td>{}<td>{}<td>{}<td><code>{}</code><td>{}</tr>",
            Text(text("id")),
            Text(text("username")),
            Text(text("name")),
            Text(text("email")),
            Text(text("phoneNumber")),
            Text(&metadata),
            Text(text("updatedAt")),
        )?;
    }
    writeln!(page, "</table>")?;

    writeln!(
        page,
        "<h2>Last requests</h2>\n<table><tr><th>When<th>Request<th>Body<th>Answer</tr>"
    )?;
    for exchange in sandbox.last_exchanges(MAX_ROWS).iter().rev() {
        write_exchange(page, exchange)?;
    }
    writeln!(page, "</table></body></html>")
}

fn write_exchange(page: &mut String, exchange: &Exchange) -> fmt::Result {
    let query = if exchange.query.is_empty() { "" } else { "?" };
    let address = format!("{}{query}{}", exchange.path, exchange.query);
    let answer = match exchange.end {
        End::Answered(status) => status.to_string(),
        end @ (End::Pending | End::Cut | End::Abandoned) => end.as_str().to_owned(),
    };
    let fault = exchange.fault.map(|fault| format!(" (fault: {fault})"));
    writeln!(
        page,
        "<tr><td>{:.3}<td><code>{} {}</code><td><code>{}</code><td>{}{}</tr>",
        exchange.at,
        Text(&exchange.method),
        Text(&address),
        Text(&String::from_utf8_lossy(&exchange.request)),
        answer,
        fault.unwrap_or_default(),
    )
}

/// Foreign text in HTML: escaped, and cut to the length of a cell.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, c) in self.0.chars().enumerate() {
            if place == MAX_CELL {
                return f.write_char('…');
            }
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::Settings, *};

    #[test]
    fn foreign_text_is_escaped() {
        let sandbox = Sandbox::new(Settings::default());
        let name = "<script>alert('1')</script> & \"x\"";
        sandbox
            .add(&json!({"name": name, "metadata": [{"key": "<b>", "value": "&"}]}))
            .unwrap();
        let page = render(&sandbox);
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert!(
            page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;x&quot;")
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = "ñ".repeat(1000);
        assert_eq!(Text(&long).to_string().chars().count(), MAX_CELL + 1);
    }
}
