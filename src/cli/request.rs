//! A request as the arguments of a command say it.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};

use crate::source;

/// What comes with the body.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Head {
    /// What the body is [default: by the ending of the file: .json, .form, .xml or .ndjson]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<HeaderValue>,
    /// A header of the request, such as 'X-Shopify-Topic: customers/update'; may be repeated
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    /// All headers for the body in this file; several of one name are sent one after the other.
    pub(super) fn headers(&self, file: &Path) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let by_ending = source::content_type_of(file).unwrap_or("application/json");
        match &self.content_type {
            Some(content_type) => {
                headers.insert(CONTENT_TYPE, content_type.clone());
            }
            None if headers.contains_key(CONTENT_TYPE) => {}
            None => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(by_ending));
            }
        }
        headers
    }

    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.content_type.is_none() && self.headers.is_empty()
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const WANTED: &str = "write a name, a colon and a value, such as 'X-Topic: customers/update'";
    let (name, value) = text.split_once(':').ok_or(WANTED)?;
    let name = name.trim().parse().map_err(|_| WANTED)?;
    let value = value.trim().parse().map_err(|_| WANTED)?;
    Ok((name, value))
}

/// The bytes of a file; of standard input for `-`.
pub(super) fn read_body(file: &Path) -> std::io::Result<Vec<u8>> {
    if file.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut body)?;
        return Ok(body);
    }
    std::fs::read(file)
}
