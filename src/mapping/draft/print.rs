//! Writes the draft down, and finds out what its tests must expect by really mapping the samples.

mod lines;
mod rule;
mod test;

use self::lines::Lines;
use super::{CannotDraft, Draft, Sample, paths::Listing};
use crate::{
    diag::{Collector, SourceText, render_lines},
    event::{ItemOutcome, Mapped, SourceName},
    mapping::{CompileOptions, Input, Mapping, UnreadableSamples, compile_untested},
    yaml,
};

/// Tests with more outcomes are read by nobody, and soon not by the gateway either.
const MAX_OUTCOMES: usize = 500;
/// Rules are mended this often, by leaving out a field that a sample makes fail.
const MAX_MENDINGS: usize = 20;

/// The whole file.
pub(super) fn file(
    draft: &mut Draft<'_>,
    source: &SourceName,
    head: &str,
    receive: &str,
    events: &[Option<String>],
) -> Result<String, CannotDraft> {
    let mut mendings = 0;
    loop {
        let text = without_tests(draft, source, head, receive);
        let mapping = compile(&text)?;
        let mapped: Vec<Mapped> = draft
            .samples
            .iter()
            .zip(events)
            .map(|(sample, event)| mapping.map(&input(sample, event.as_deref())))
            .collect();
        if mendings < MAX_MENDINGS && mapped.iter().any(|mapped| mend(draft, mapped)) {
            mendings += 1;
            continue;
        }
        let outcomes = mapped.iter().flat_map(|mapped| &mapped.items);
        if outcomes.map(|item| item.outcomes.len()).sum::<usize>() > MAX_OUTCOMES {
            return Err(CannotDraft::TooMuch);
        }
        let tests = draft.samples.iter().zip(events).zip(mapped);
        let tests: Result<Vec<String>, CannotDraft> = tests
            .map(|((sample, event), mapped)| test::written(sample, event.as_deref(), mapped))
            .collect();
        let file = format!("{text}\ntests:\n{}", tests?.join("\n"));
        if file.len() > yaml::MAX_BYTES {
            return Err(CannotDraft::TooMuch);
        }
        return Ok(file);
    }
}

fn input<'a>(sample: &Sample<'a>, event: Option<&'a str>) -> Input<'a> {
    match event {
        None => sample.input(),
        Some(json) => Input {
            body: json.as_bytes(),
            content_type: None,
            ..sample.input()
        },
    }
}

/// The mapping of a file that lacks its tests.
fn compile(text: &str) -> Result<Mapping, CannotDraft> {
    let text = format!("{text}\ntests: [{{name: t, event: {{}}, expect: [{{drop: t}}]}}]\n");
    let mut out = Collector::new(SourceText::new("draft", text));
    let options = CompileOptions {
        also_known: &["receive"],
        dedup: &[],
        read_sample: &|_| Err(std::io::ErrorKind::NotFound.into()),
        unreadable_samples: UnreadableSamples::Refuse,
        secret_headers: &[],
    };
    let mapping =
        yaml::parse(&mut out).and_then(|root| compile_untested(&root, &options, &mut out));
    mapping.ok_or_else(|| CannotDraft::Broken {
        findings: render_lines(&out.finish()).join("; "),
    })
}

/// Takes out the first field that made an item fail; whether there was one.
fn mend(draft: &mut Draft<'_>, mapped: &Mapped) -> bool {
    let outcomes = mapped.items.iter().flat_map(|item| &item.outcomes);
    let failures = outcomes.filter_map(|outcome| match outcome {
        ItemOutcome::Fail(failure) => {
            Some((failure.rule.as_deref()?, failure.reason.split_once(": ")?.0))
        }
        ItemOutcome::Update(_) | ItemOutcome::Drop { .. } => None,
    });
    let failures: Vec<(String, String)> = failures
        .map(|(rule, field)| (rule.to_owned(), field.to_owned()))
        .collect();
    failures
        .into_iter()
        .any(|(rule, field)| draft.rules.leave_out(&rule, &field))
}

/// Everything in front of the tests.
fn without_tests(draft: &Draft<'_>, source: &SourceName, head: &str, receive: &str) -> String {
    let mut out = Lines::default();
    out.raw(head);
    out.blank();
    out.line(0, "mapping: 1");
    out.entry(0, "source", source.as_str());
    out.raw(receive);
    out.noted(
        0,
        "timezone",
        "America/Mexico_City",
        "of dates and times without an offset",
    );
    out.noted(
        0,
        "phone_region",
        "MX",
        "of phone numbers without a country code",
    );
    let items = draft.envelope.items();
    if let Some(items) = &items {
        out.comment(0, "One request carries several records; the rules see one at a time. `$` is the whole request.");
        out.entry(0, "items", items);
    }
    out.noted(
        0,
        "otherwise",
        "fail",
        "what no rule takes waits for a person; `drop` lets it go",
    );
    out.blank();
    out.line(0, "rules:");
    // What is explained once is not explained again.
    let mut explains = true;
    for (index, rule) in draft.rules.rules.iter().enumerate() {
        if index > 0 {
            out.blank();
        }
        rule::write(rule, source, explains, &mut out);
        explains &= !rule.is_update();
    }
    out.blank();
    out.comment(0, "What the samples hold, and what it looks like. Add what you need to a rule: under `set`, or under `metadata` for");
    out.comment(
        0,
        match items {
            Some(_) => "data of your own. In a rule, paths begin at the record, below `items`.",
            None => "data of your own.",
        },
    );
    out.comment(0, "");
    let mut listing = Listing::default();
    draft.bodies.iter().for_each(|body| listing.add(body));
    listing.lines().for_each(|line| out.comment(0, &line));
    out.finish()
}
