//! A `curl` command, as people copy it from a browser, a log or a sender's page.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::{
    CaptureKind, Captured, ReadFile, Unreadable, add_header,
    shell::{self, Word},
    split_address,
};
use crate::diag::did_you_mean;

/// Whether a text begins as a `curl` command.
pub(super) fn is_command(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"$ ").unwrap_or(text);
    text.strip_prefix(b"curl").is_some_and(|rest| {
        rest.first()
            .is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'\\')
    })
}

/// What an option does to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Method,
    Header,
    Url,
    /// Adds to the body; what `@` means differs.
    Data,
    DataRaw,
    DataBinary,
    DataUrlencode,
    Json,
    User,
    Agent,
    Cookie,
    Referer,
    /// The data goes into the address.
    Get,
    Head,
    /// Nothing for the request.
    Ignored,
    /// As ignored, with an argument.
    IgnoredWith,
    /// Would change the body in a way that cannot be known.
    Unusable,
}

const OPTIONS: &[(&str, Option<char>, Effect)] = &[
    ("request", Some('X'), Effect::Method),
    ("header", Some('H'), Effect::Header),
    ("url", None, Effect::Url),
    ("data", Some('d'), Effect::Data),
    ("data-ascii", None, Effect::Data),
    ("data-raw", None, Effect::DataRaw),
    ("data-binary", None, Effect::DataBinary),
    ("data-urlencode", None, Effect::DataUrlencode),
    ("json", None, Effect::Json),
    ("user", Some('u'), Effect::User),
    ("user-agent", Some('A'), Effect::Agent),
    ("cookie", Some('b'), Effect::Cookie),
    ("referer", Some('e'), Effect::Referer),
    ("get", Some('G'), Effect::Get),
    ("head", Some('I'), Effect::Head),
    ("compressed", None, Effect::Ignored),
    ("silent", Some('s'), Effect::Ignored),
    ("show-error", Some('S'), Effect::Ignored),
    ("verbose", Some('v'), Effect::Ignored),
    ("include", Some('i'), Effect::Ignored),
    ("show-headers", None, Effect::Ignored),
    ("location", Some('L'), Effect::Ignored),
    ("insecure", Some('k'), Effect::Ignored),
    ("fail", Some('f'), Effect::Ignored),
    ("fail-with-body", None, Effect::Ignored),
    ("globoff", Some('g'), Effect::Ignored),
    ("no-buffer", Some('N'), Effect::Ignored),
    ("progress-bar", Some('#'), Effect::Ignored),
    ("no-progress-meter", None, Effect::Ignored),
    ("basic", None, Effect::Ignored),
    ("path-as-is", None, Effect::Ignored),
    ("http1.0", Some('0'), Effect::Ignored),
    ("http1.1", None, Effect::Ignored),
    ("http2", None, Effect::Ignored),
    ("ipv4", Some('4'), Effect::Ignored),
    ("ipv6", Some('6'), Effect::Ignored),
    ("remote-name", Some('O'), Effect::Ignored),
    ("output", Some('o'), Effect::IgnoredWith),
    ("write-out", Some('w'), Effect::IgnoredWith),
    ("dump-header", Some('D'), Effect::IgnoredWith),
    ("max-time", Some('m'), Effect::IgnoredWith),
    ("connect-timeout", None, Effect::IgnoredWith),
    ("retry", None, Effect::IgnoredWith),
    ("max-redirs", None, Effect::IgnoredWith),
    ("proxy", Some('x'), Effect::IgnoredWith),
    ("resolve", None, Effect::IgnoredWith),
    ("cacert", None, Effect::IgnoredWith),
    ("cert", Some('E'), Effect::IgnoredWith),
    ("key", None, Effect::IgnoredWith),
    ("cookie-jar", Some('c'), Effect::IgnoredWith),
    ("form", Some('F'), Effect::Unusable),
    ("form-string", None, Effect::Unusable),
    ("upload-file", Some('T'), Effect::Unusable),
    ("config", Some('K'), Effect::Unusable),
];

impl Effect {
    const fn has_argument(self) -> bool {
        !matches!(self, Self::Get | Self::Head | Self::Ignored)
    }
}

/// A request under way.
struct Draft<'a> {
    read_file: ReadFile<'a>,
    method: Option<Method>,
    url: Option<String>,
    headers: HeaderMap,
    /// Headers that curl must not add by itself.
    removed: Vec<HeaderName>,
    data: Option<Vec<u8>>,
    is_json: bool,
    is_get: bool,
    is_head: bool,
}

pub(super) fn read(bytes: &[u8], read_file: ReadFile<'_>) -> Result<Captured, Unreadable> {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let skipped = text.len() - text.trim_ascii_start().len();
    let lines_before = text
        .iter()
        .take(skipped)
        .filter(|byte| **byte == b'\n')
        .count();
    let text = text.get(skipped..).unwrap_or_default();
    let text = text.strip_prefix(b"$ ").unwrap_or(text);
    let below = |error: Unreadable| Unreadable {
        line: error.line + lines_before,
        ..error
    };
    let (words, is_followed) = shell::words(text).map_err(below)?;
    let mut draft = Draft {
        read_file,
        method: None,
        url: None,
        headers: HeaderMap::new(),
        removed: Vec::new(),
        data: None,
        is_json: false,
        is_get: false,
        is_head: false,
    };
    draft.take_all(words).map_err(below)?;
    let mut captured = draft.finish().map_err(below)?;
    if is_followed {
        captured.remarks.push(
            "something stands behind the command and was left out; where an `&` or a line end cut it, put the address in quotes and a backslash before the line end"
                .to_owned(),
        );
    }
    Ok(captured)
}

impl Draft<'_> {
    fn take_all(&mut self, words: Vec<Word>) -> Result<(), Unreadable> {
        let mut words = words.into_iter().skip(1);
        let mut are_options_over = false;
        while let Some(word) = words.next() {
            let text = word.text.as_slice();
            if !are_options_over && text == b"--" {
                are_options_over = true;
            } else if let Some(name) = text.strip_prefix(b"--").filter(|_| !are_options_over) {
                let effect = long(name, &word)?;
                self.option(effect, None, &word, &mut words)?;
            } else if let Some(letters) = text
                .strip_prefix(b"-")
                .filter(|letters| !are_options_over && !letters.is_empty())
            {
                self.short(letters, &word, &mut words)?;
            } else {
                self.url(&word.text, &word)?;
            }
        }
        Ok(())
    }

    /// `-sX POST`: letters without an argument, then perhaps one with its argument in the same word or the next.
    fn short(
        &mut self,
        letters: &[u8],
        word: &Word,
        words: &mut dyn Iterator<Item = Word>,
    ) -> Result<(), Unreadable> {
        let mut rest = letters;
        while let Some((letter, after)) = rest.split_first() {
            let letter = char::from(*letter);
            let known = OPTIONS.iter().find(|(_, short, _)| *short == Some(letter));
            let Some((_, _, effect)) = known else {
                return Err(at(
                    word,
                    format!(
                        "`-{}` is not an option that is known here",
                        letter.escape_debug()
                    ),
                )
                .help("leave it out if it does not change the request"));
            };
            if effect.has_argument() {
                let joined = (!after.is_empty()).then(|| after.to_vec());
                return self.option(*effect, joined, word, words);
            }
            self.option(*effect, None, word, words)?;
            rest = after;
        }
        Ok(())
    }

    fn option(
        &mut self,
        effect: Effect,
        joined: Option<Vec<u8>>,
        word: &Word,
        words: &mut dyn Iterator<Item = Word>,
    ) -> Result<(), Unreadable> {
        let argument = match joined {
            Some(argument) => argument,
            None if effect.has_argument() => {
                let next = words.next().map(|next| next.text);
                next.ok_or_else(|| at(word, "this option needs something behind it"))?
            }
            None => Vec::new(),
        };
        match effect {
            Effect::Method => {
                let method = Method::from_bytes(&argument);
                self.method = Some(method.map_err(|_| at(word, "this is not a method"))?);
            }
            Effect::Header => self.header(&argument, word)?,
            Effect::Url => self.url(&argument, word)?,
            Effect::Data | Effect::DataRaw | Effect::DataBinary | Effect::Json => {
                let data = match argument.strip_prefix(b"@") {
                    Some(file) if effect != Effect::DataRaw => {
                        let mut data = self.file(file, word)?;
                        if effect == Effect::Data {
                            // As curl does with `-d`.
                            data.retain(|byte| !matches!(byte, b'\n' | b'\r' | 0));
                        }
                        data
                    }
                    _ => argument,
                };
                self.is_json |= effect == Effect::Json;
                self.add(&data, effect != Effect::Json);
            }
            Effect::DataUrlencode => {
                let data = self.urlencoded(&argument, word)?;
                self.add(&data, true);
            }
            Effect::User => {
                let value = format!("Basic {}", STANDARD.encode(&argument));
                self.put(&header::AUTHORIZATION, value.as_bytes(), word)?;
            }
            Effect::Agent => self.put(&header::USER_AGENT, &argument, word)?,
            Effect::Referer => self.put(&header::REFERER, &argument, word)?,
            Effect::Cookie if argument.contains(&b'=') => {
                self.put(&header::COOKIE, &argument, word)?;
            }
            Effect::Get => self.is_get = true,
            Effect::Head => self.is_head = true,
            Effect::Cookie | Effect::Ignored | Effect::IgnoredWith => {}
            Effect::Unusable => {
                return Err(at(
                    word,
                    "the body that this option makes cannot be known from here",
                )
                .help(
                    "keep the raw request instead, or give the body with `--data-binary @FILE`",
                ));
            }
        }
        Ok(())
    }

    fn url(&mut self, url: &[u8], word: &Word) -> Result<(), Unreadable> {
        if self.url.is_some() {
            return Err(at(word, "there is a second address").help("write one request"));
        }
        let text = std::str::from_utf8(url).map_err(|_| at(word, "this is not an address"))?;
        self.url = Some(if text.contains("://") {
            text.to_owned()
        } else {
            // As curl guesses.
            format!("http://{text}")
        });
        Ok(())
    }

    fn header(&mut self, line: &[u8], word: &Word) -> Result<(), Unreadable> {
        if let Some(file) = line.strip_prefix(b"@") {
            let lines = self.file(file, word)?;
            for line in lines
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::trim_ascii)
                .filter(|line| !line.is_empty())
            {
                self.header_line(line, word)?;
            }
            return Ok(());
        }
        self.header_line(line, word)
    }

    fn header_line(&mut self, line: &[u8], word: &Word) -> Result<(), Unreadable> {
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => {
                let (name, value) = line.split_at(colon);
                (name, value.get(1..).unwrap_or_default().trim_ascii())
            }
            // `Name;` is a header without a value.
            None => match line.strip_suffix(b";") {
                Some(name) => return self.add_header(name, b"", word),
                None => {
                    return Err(at(word, "this is not a header: it has no colon")
                        .help("write -H 'Name: value'"));
                }
            },
        };
        if value.is_empty() {
            // `Name:` takes away one that curl would send.
            let name = HeaderName::from_bytes(name.trim_ascii());
            self.removed
                .push(name.map_err(|_| at(word, "this is not the name of a header"))?);
            return Ok(());
        }
        self.add_header(name, value, word)
    }

    fn add_header(&mut self, name: &[u8], value: &[u8], word: &Word) -> Result<(), Unreadable> {
        add_header(&mut self.headers, name.trim_ascii(), value)
            .map_err(|error| at(word, error.to_string()))
    }

    /// Sets a header of an option.
    fn put(&mut self, name: &HeaderName, value: &[u8], word: &Word) -> Result<(), Unreadable> {
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| at(word, "this cannot stand in a header"))?;
        self.headers.insert(name, value);
        Ok(())
    }

    fn file(&self, name: &[u8], word: &Word) -> Result<Vec<u8>, Unreadable> {
        let name = String::from_utf8_lossy(name);
        if name == "-" {
            return Err(at(
                word,
                "the data comes from standard input, which is not known",
            )
            .help("write it into a file, and its name behind the `@`"));
        }
        (self.read_file)(&name)
            .map_err(|error| at(word, format!("the file {name} cannot be read: {error}")))
    }

    /// Several `-d` are joined by `&`, several `--json` by nothing.
    fn add(&mut self, data: &[u8], is_field: bool) {
        match &mut self.data {
            Some(before) => {
                if is_field {
                    before.push(b'&');
                }
                before.extend_from_slice(data);
            }
            None => self.data = Some(data.to_vec()),
        }
    }

    /// `content`, `=content`, `name=content`, `@file` or `name@file`.
    fn urlencoded(&self, argument: &[u8], word: &Word) -> Result<Vec<u8>, Unreadable> {
        let split = argument.iter().position(|byte| matches!(byte, b'=' | b'@'));
        let (name, content) = match split {
            None => (&[][..], argument.to_vec()),
            Some(place) => {
                let (name, rest) = argument.split_at(place);
                let content = rest.get(1..).unwrap_or_default();
                if rest.first() == Some(&b'@') {
                    (name, self.file(content, word)?)
                } else {
                    (name, content.to_vec())
                }
            }
        };
        let mut data = name.to_vec();
        if !name.is_empty() {
            data.push(b'=');
        }
        let encoded = percent_encode(&content, NON_ALPHANUMERIC).to_string();
        // curl leaves these as they are (RFC 3986, section 2.3).
        let encoded = [("%2D", "-"), ("%2E", "."), ("%5F", "_"), ("%7E", "~")]
            .iter()
            .fold(encoded, |text, (escaped, plain)| {
                text.replace(escaped, plain)
            });
        data.extend_from_slice(encoded.as_bytes());
        Ok(data)
    }

    fn finish(mut self) -> Result<Captured, Unreadable> {
        let url = self
            .url
            .ok_or_else(|| Unreadable::at(1, 1, "the command has no address"))?;
        let Some((origin, mut path_and_query)) = split_address(&url) else {
            return Err(
                Unreadable::at(1, 1, "the address of the command is not a web address")
                    .help("write it whole, with https://"),
            );
        };
        let mut body = self.data.unwrap_or_default();
        let has_data = !body.is_empty() || self.is_json;
        if self.is_get {
            if !body.is_empty() {
                path_and_query.push(if path_and_query.contains('?') {
                    '&'
                } else {
                    '?'
                });
                path_and_query.push_str(&String::from_utf8_lossy(&body));
            }
            body = Vec::new();
        }
        let mut add = |name: HeaderName, value: &'static str| {
            if !self.headers.contains_key(&name) && !self.removed.contains(&name) {
                self.headers.insert(name, HeaderValue::from_static(value));
            }
        };
        if self.is_json {
            add(header::CONTENT_TYPE, "application/json");
            add(header::ACCEPT, "application/json");
        } else if has_data && !self.is_get {
            add(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let method = self.method.unwrap_or(if self.is_head {
            Method::HEAD
        } else if has_data && !self.is_get {
            Method::POST
        } else {
            Method::GET
        });
        Ok(Captured {
            kind: CaptureKind::Curl,
            method,
            origin: Some(origin),
            path_and_query,
            headers: self.headers,
            body: body.into(),
            remarks: Vec::new(),
        })
    }
}

fn long(name: &[u8], word: &Word) -> Result<Effect, Unreadable> {
    let name = String::from_utf8_lossy(name);
    if let Some((_, _, effect)) = OPTIONS.iter().find(|(long, ..)| *long == name) {
        return Ok(*effect);
    }
    let known = OPTIONS.iter().map(|(long, ..)| *long);
    let help = did_you_mean(&name, known)
        .unwrap_or_else(|| "leave it out if it does not change the request".to_owned());
    // What stands behind a `=` may be a secret.
    let shown: String = name
        .split('=')
        .next()
        .unwrap_or_default()
        .escape_debug()
        .collect();
    Err(at(
        word,
        format!("`--{shown}` is not an option that is known here"),
    )
    .help(help))
}

fn at(word: &Word, message: impl Into<String>) -> Unreadable {
    Unreadable::at(word.line, word.column, message)
}
