//! Bodies that were changed between signing and arriving, or when they were kept in a file.

use bytes::Bytes;

use super::{
    Aspect, Case, Change, Remedy,
    json::{Json, Style},
};

/// Larger bodies are not written anew.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// Indented JSON may be so many times as long.
const MOST_GROWTH: usize = 8;

/// A change of bytes, whatever they mean.
struct Edit {
    /// How the signed body differs.
    how: &'static str,
    undo: fn(&[u8]) -> Option<Vec<u8>>,
    remedy: &'static str,
}

impl Edit {
    const fn new(how: &'static str, undo: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        Self {
            how,
            undo,
            remedy: ON_THE_WAY,
        }
    }

    const fn remedy(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }
}

const EDITS: &[Edit] = &[
    Edit::new("without the line end at its end", |body| {
        let bare = body.strip_suffix(b"\n")?;
        Some(bare.strip_suffix(b"\r").unwrap_or(bare).to_vec())
    })
    .remedy(KEPT_BY_AN_EDITOR),
    Edit::new("with a line end (LF) at its end", |body| {
        Some([body, b"\n"].concat())
    }),
    Edit::new("with a line end (CR LF) at its end", |body| {
        Some([body, b"\r\n"].concat())
    }),
    Edit::new("with line ends of CR LF instead of LF", |body| {
        let unix = without_returns(body);
        let text = String::from_utf8(unix).ok()?;
        Some(text.replace('\n', "\r\n").into_bytes())
    }),
    Edit::new(
        "with line ends of CR LF inside, and none at its end",
        |body| {
            let unix = without_returns(body);
            let text = String::from_utf8(unix).ok()?;
            Some(text.strip_suffix('\n')?.replace('\n', "\r\n").into_bytes())
        },
    ),
    Edit::new("with line ends of LF instead of CR LF", |body| {
        Some(without_returns(body))
    }),
    Edit::new("without white space around it", |body| {
        Some(body.trim_ascii().to_vec())
    }),
    Edit::new("without its byte order mark", |body| {
        Some(body.strip_prefix(MARK)?.to_vec())
    }),
    Edit::new("with a byte order mark", |body| Some([MARK, body].concat())),
    Edit::new("in ISO-8859-1 instead of UTF-8", |body| {
        let text = std::str::from_utf8(body).ok()?;
        text.chars().map(|c| u8::try_from(c).ok()).collect()
    }),
    Edit::new("in UTF-8 instead of ISO-8859-1", |body| {
        Some(
            body.iter()
                .copied()
                .map(char::from)
                .collect::<String>()
                .into_bytes(),
        )
    }),
    Edit::new("empty", |_| Some(Vec::new()))
        .remedy("the sender signs before it writes the body, which is a mistake of the sender"),
];

const MARK: &[u8] = "\u{feff}".as_bytes();

fn without_returns(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, byte) in body.iter().enumerate() {
        if *byte != b'\r' || body.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

const COMPACT: Style = Style {
    indent: None,
    is_spaced: false,
    is_sorted: false,
    is_ascii: false,
    escapes_slashes: false,
    escapes_html: false,
};

/// Styles of JSON, and who writes so.
const STYLES: &[(&str, Style)] = &[
    ("compact, as JavaScript writes it", COMPACT),
    (
        "with a space behind commas and colons, as Python writes it",
        Style {
            is_spaced: true,
            is_ascii: true,
            ..COMPACT
        },
    ),
    (
        "with a space behind commas and colons",
        Style {
            is_spaced: true,
            ..COMPACT
        },
    ),
    (
        "compact, with `\\u00f1` for letters like ñ",
        Style {
            is_ascii: true,
            ..COMPACT
        },
    ),
    (
        "compact, with `\\/` for slashes and `\\u00f1` for letters like ñ, as PHP writes it",
        Style {
            is_ascii: true,
            escapes_slashes: true,
            ..COMPACT
        },
    ),
    (
        "compact, with `\\/` for slashes",
        Style {
            escapes_slashes: true,
            ..COMPACT
        },
    ),
    (
        "compact, with `\\u003c` for `<`, as Go writes it",
        Style {
            escapes_html: true,
            ..COMPACT
        },
    ),
    (
        "indented by two spaces",
        Style {
            indent: Some((' ', 2)),
            ..COMPACT
        },
    ),
    (
        "indented by four spaces",
        Style {
            indent: Some((' ', 4)),
            ..COMPACT
        },
    ),
    (
        "indented by tabs",
        Style {
            indent: Some(('\t', 1)),
            ..COMPACT
        },
    ),
    (
        "indented by four spaces, with `\\u00f1` for letters like ñ",
        Style {
            indent: Some((' ', 4)),
            is_ascii: true,
            ..COMPACT
        },
    ),
    (
        "compact, with sorted keys",
        Style {
            is_sorted: true,
            ..COMPACT
        },
    ),
    (
        "with sorted keys and a space behind commas and colons, as Python writes it",
        Style {
            is_sorted: true,
            is_spaced: true,
            is_ascii: true,
            ..COMPACT
        },
    ),
    (
        "compact, with sorted keys and `\\u00f1` for letters like ñ",
        Style {
            is_sorted: true,
            is_ascii: true,
            ..COMPACT
        },
    ),
];

/// Bodies that may have been signed, all together of at most so many bytes.
pub(super) fn changes(case: &Case<'_>, most: usize) -> Vec<Change> {
    let body = &case.request.body;
    if body.len() > MAX_BYTES {
        return Vec::new();
    }
    let mut changes: Vec<Change> = Vec::new();
    let mut rest = most;
    let mut add = |finding: String, remedy: &str, new: Vec<u8>| {
        let new = Bytes::from(new);
        if new != *body
            && new.len() <= rest
            && !changes
                .iter()
                .any(|known| known.body.as_ref() == Some(&new))
        {
            let remedy = Remedy::Words(remedy.to_owned());
            let mut change = Change::new(Aspect::Body, finding, remedy);
            rest -= new.len();
            change.body = Some(new);
            changes.push(change);
        }
    };
    for edit in EDITS {
        if let Some(new) = (edit.undo)(body) {
            add(
                format!("the body was signed {}", edit.how),
                edit.remedy,
                new,
            );
        }
    }
    // White space around JSON stays: it may belong to the body.
    if let Some(json) = std::str::from_utf8(body).ok().and_then(Json::read) {
        for (how, style) in STYLES {
            let most = body.len().saturating_mul(MOST_GROWTH).saturating_add(1024);
            let Some(new) = json.write(*style, most) else {
                continue;
            };
            add(
                format!(
                    "the body is JSON that was written anew after it was signed: it was signed {how}"
                ),
                WRITTEN_ANEW,
                new.into_bytes(),
            );
        }
    }
    changes
}

const ON_THE_WAY: &str = "the gateway checks the bytes that arrive: look for what changes them, a web server or filter in between, or the tool that kept this request";
const WRITTEN_ANEW: &str = "something between the sender and here reads the JSON and writes it again: a filter, a middleware, or the tool that kept this request; have it pass the body on as it is, or have the sender sign the bytes that it sends";
const KEPT_BY_AN_EDITOR: &str = "most likely an editor added the line end when the request was kept, and then nothing is wrong with the source";
