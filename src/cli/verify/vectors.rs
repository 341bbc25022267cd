//! A file of test vectors: every verdict that differs, and the counts.

use std::{
    io::{self, BufRead, BufReader, Read as _},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    cli::{
        Exit,
        output::{self, Format, Tone, counted, painted},
    },
    diag::{Style, visible},
    verify::vector::{self, Line, MAX_LINE_BYTES},
};

#[derive(Default)]
struct Counts {
    agree: usize,
    differ: usize,
    broken: usize,
}

/// Something to say about a line.
struct Finding {
    line: usize,
    name: Option<String>,
    what: What,
}

enum What {
    Differs {
        is_accepted: bool,
        code: String,
        reason: String,
    },
    Answers(Vec<String>),
    Broken(String),
}

pub(super) fn run(file: &Path, format: Format, style: Style) -> Exit {
    let is_input = file.as_os_str() == "-";
    let name = if is_input {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let read = if is_input {
        judge(&mut io::stdin().lock())
    } else {
        std::fs::File::open(file).and_then(|file| judge(&mut BufReader::new(file)))
    };
    let (findings, counts) = match read {
        Ok(read) => read,
        Err(error) => {
            output::error(&format!("{name} cannot be read: {error}"));
            return Exit::Unavailable;
        }
    };
    match format {
        Format::Human => {
            for finding in &findings {
                let (text, tone) = finding.line(&name);
                output::line(&painted(&text, tone, style));
            }
            output::note(&counts.said());
        }
        Format::Json => {
            let findings: Vec<Value> = findings.iter().map(Finding::json).collect();
            let all = json!({
                "file": name, "findings": findings, "agree": counts.agree, "differ": counts.differ,
                "broken": counts.broken,
            });
            output::line(&format!("{all:#}"));
        }
    }
    if counts.agree + counts.differ + counts.broken == 0 {
        output::error(&format!("{name} holds no vector"));
        return Exit::Bad;
    }
    if counts.differ + counts.broken == 0 {
        Exit::Fine
    } else {
        Exit::Bad
    }
}

fn judge(reader: &mut dyn BufRead) -> io::Result<(Vec<Finding>, Counts)> {
    let mut findings = Vec::new();
    let mut counts = Counts::default();
    let mut number = 0;
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX) + 2;
    loop {
        let mut line = Vec::new();
        if reader.take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok((findings, counts));
        }
        number += 1;
        let Ok(line) = std::str::from_utf8(&line) else {
            counts.broken += 1;
            findings.push(Finding {
                line: number,
                name: None,
                what: What::Broken("the line is not UTF-8 text".to_owned()),
            });
            continue;
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let (name, what) = match vector::read(line) {
            Err(error) => {
                counts.broken += 1;
                (None, What::Broken(error.to_string()))
            }
            Ok(Line::Handshake(challenge)) => match challenge.differences() {
                Ok(differences) if differences.is_empty() => {
                    counts.agree += 1;
                    continue;
                }
                Ok(differences) => {
                    counts.differ += 1;
                    (Some(challenge.name), What::Answers(differences))
                }
                Err(error) => {
                    counts.broken += 1;
                    (Some(challenge.name), What::Broken(error.to_string()))
                }
            },
            Ok(Line::Signature(vector)) => {
                let judged = vector.judge();
                if judged.is_accepted == vector.is_accepted {
                    counts.agree += 1;
                    continue;
                }
                counts.differ += 1;
                let what = What::Differs {
                    is_accepted: judged.is_accepted,
                    code: judged.code,
                    reason: judged.reason,
                };
                (Some(vector.name), what)
            }
        };
        findings.push(Finding {
            line: number,
            name,
            what,
        });
    }
}

impl Finding {
    fn line(&self, file: &str) -> (String, Tone) {
        let name = self
            .name
            .as_deref()
            .map_or_else(String::new, |name| format!("{}: ", visible(name)));
        let place = format!("{file}:{}: {name}", self.line);
        match &self.what {
            What::Differs {
                is_accepted: true, ..
            } => (
                format!("{place}expected to be refused, but it is genuine"),
                Tone::Bad,
            ),
            What::Differs { code, reason, .. } => (
                format!("{place}expected to be genuine, but it is refused ({code}): {reason}"),
                Tone::Bad,
            ),
            What::Answers(differences) => (
                format!("{place}expected another answer: {}", differences.join("; ")),
                Tone::Bad,
            ),
            What::Broken(why) => (format!("{place}broken: {why}"), Tone::Bad),
        }
    }

    fn json(&self) -> Value {
        let (what, code, reason) = match &self.what {
            What::Differs {
                is_accepted,
                code,
                reason,
            } => (
                if *is_accepted { "genuine" } else { "refused" },
                Some(code),
                Some(reason.clone()),
            ),
            What::Answers(differences) => ("answers", None, Some(differences.join("; "))),
            What::Broken(why) => ("broken", None, Some(why.clone())),
        };
        json!({"line": self.line, "name": self.name, "verdict": what, "reason": code, "message": reason})
    }
}

impl Counts {
    fn said(&self) -> String {
        let all = self.agree + self.differ + self.broken;
        let mut text = format!("{}: {} agree", counted(all, "vector"), self.agree);
        for (count, what) in [(self.differ, "differ"), (self.broken, "broken")] {
            if count > 0 {
                text = format!("{text}, {count} {what}");
            }
        }
        text
    }
}
