//! Whether each record, and the end of each update, is what the model says.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    account::Accepted,
    model::{Fate, Lane, State, Update, outcomes},
    people::{Arrival, Part},
    plan::MARKS,
    play::{Again, Erasure, Played},
};

/// The updates of somebody that were accepted, in that order, with the event of each.
pub(super) fn updates_of(played: &Played, person: usize) -> Vec<(i64, Update)> {
    let mut updates = Vec::new();
    for (place, accepted) in played.account.accepted.iter().enumerate() {
        let item = &played.plan.items[accepted.item];
        if item.person != person || item.is_note() {
            continue;
        }
        let newcomer = BTreeMap::from([(Part::Name, played.plan.people[person].first_name())]);
        let name = item
            .change
            .get(&Part::Name)
            .cloned()
            .flatten()
            .unwrap_or_default();
        let mark = MARKS.iter().find(|(text, _)| name.contains(text));
        let update = Update {
            item: accepted.item,
            place,
            source: item.source,
            lane: Lane {
                key: item.key,
                again: None,
            },
            version: item.version,
            change: as_mapped(&item.change, played.mended.contains(&accepted.item)),
            creates_with: item.creates().then_some(newcomer),
            marked: mark.map(|(_, mark)| (Part::Name, *mark)),
            overwrites: false,
            is_given_up: accepted.word == "discarded",
        };
        updates.push((accepted.event, update));
    }
    updates
}

/// At each moment of rest, and at the end, the record is one that the model allows, and so is the end of each update.
pub(super) fn ends_as_the_model_says(played: &Played, person: usize) -> Result<(), String> {
    let updates = updates_of(played, person);
    let mut states = BTreeSet::from([State::default()]);
    let mut behind: Vec<Update> = Vec::new();
    let mut from = 0;
    for (place, quiet) in played.quiets.iter().enumerate() {
        // What was accepted later comes later; a request of known items only has no event of its own.
        let last = played.sends[..quiet.sends]
            .iter()
            .filter_map(|send| played.account.event_of_request.get(&send.request))
            .max();
        let last = last.copied().unwrap_or(0);
        if is_erased_at(played, person, place) {
            behind.clear();
            states = states.into_iter().map(State::forgotten).collect();
        }
        let is_new = |event: i64| event > from && event <= last;
        let new = updates
            .iter()
            .filter(|(event, update)| is_new(*event) && comes_by_itself(played, update.item));
        behind.extend(new.map(|(_, update)| update.clone()));
        from = last;
        for (number, again) in agains_at(played, place) {
            let anew = sent_again(played, number, &updates);
            states = states.into_iter().map(|state| state.anew(&anew)).collect();
            behind.extend(anew);
            hurry(played, number, again, &mut behind, &updates)?;
        }
        behind.sort_by_key(|update| update.place);
        let is_forgiven = played.forgiven.is_some_and(|forgiven| forgiven <= place);
        for update in behind.iter_mut().filter(|_| is_forgiven) {
            update.marked = None;
        }
        let Some(observed) = quiet.records.get(&person) else {
            // Whoever is not there: their updates wait. Or they are gone, and were looked at before.
            let must_exist = behind.iter().any(|update| update.creates_with.is_some());
            if must_exist {
                return Err(format!("at rest {place}: nobody was created"));
            }
            behind.retain(|update| !quiet.dead.contains(&update.item));
            continue;
        };
        let starts = come(&states, played, person);
        let possible: BTreeSet<State> = starts
            .iter()
            .flat_map(|state| outcomes(state, &behind))
            .collect();
        behind.clear();
        states = possible
            .iter()
            .filter(|state| state.exists && state.values == *observed)
            .cloned()
            .collect();
        if states.is_empty() {
            let expected: BTreeSet<_> = possible.iter().map(|state| &state.values).collect();
            return Err(format!(
                "at rest {place} Quentli has\n    {observed:?}\nand should have{}\n    {expected:?}",
                if expected.len() > 1 { " one of" } else { "" }
            ));
        }
    }
    ends_fit(played, &updates, &states)
}

/// Whether it went to its lane when it was accepted.
fn comes_by_itself(played: &Played, item: usize) -> bool {
    let is_mapped = !played.plan.items[item].is_unforeseen || played.mended.contains(&item);
    is_mapped && !played.observed.contains(&item)
}

fn is_erased_at(played: &Played, person: usize, quiet: usize) -> bool {
    let mut erasures = played.erasures.iter();
    erasures.any(|erasure| erasure.person == person && erasure.quiets == quiet)
}

/// What an event says, as its file gives it.
fn as_mapped(
    change: &BTreeMap<Part, Option<String>>,
    is_mended: bool,
) -> BTreeMap<Part, Option<String>> {
    let mut change = change.clone();
    if let Some(Some(grupo)) = change.get_mut(&Part::Grupo)
        && is_mended
    {
        *grupo = grupo.to_uppercase();
    }
    change
}

/// What was sent again between the rest before this one and this one, with the number of each time.
fn agains_at(played: &Played, quiet: usize) -> impl Iterator<Item = (usize, &Again)> {
    let agains = played.agains.iter().enumerate();
    agains.filter(move |(_, again)| again.quiets == quiet)
}

/// An update as it was when it was sent again for the last time up to this one.
fn as_of_then(played: &Played, number: usize, update: &Update) -> Update {
    let mut agains = played.agains[..=number].iter();
    let is_mended = played.mended.contains(&update.item)
        || agains.any(|again| again.is_remapped && again.has(update.item));
    Update {
        change: as_mapped(&played.plan.items[update.item].change, is_mended),
        overwrites: played.agains[number].overwrites,
        ..update.clone()
    }
}

/// What was under way no more, or had never been, when it was sent again.
fn sent_again(played: &Played, number: usize, updates: &[(i64, Update)]) -> Vec<Update> {
    let again = &played.agains[number];
    let of_person = updates.iter().map(|(_, update)| update);
    let of_person = of_person.filter(|update| again.items.contains(&update.item));
    let anew = of_person.map(|update| Update {
        lane: Lane {
            again: (!again.is_at_rest).then_some(number),
            ..update.lane
        },
        ..as_of_then(played, number, update)
    });
    anew.collect()
}

/// What waited when it was sent again keeps its place. But what Quentli does not take may have been dead by then, and others
/// through that were behind it; and what is to overwrite does so to those that were on their way together with it.
fn hurry(
    played: &Played,
    number: usize,
    again: &Again,
    behind: &mut [Update],
    updates: &[(i64, Update)],
) -> Result<(), String> {
    for (_, update) in updates {
        if !again.hurried.contains(&update.item) {
            continue;
        }
        let waits = behind.iter_mut().find(|waits| waits.item == update.item);
        let Some(waits) = waits else {
            return Err(format!("item {} was open, and it was through", update.item));
        };
        let lane = Lane {
            again: if again.overwrites || waits.marked.is_some() {
                Some(number)
            } else {
                waits.lane.again
            },
            ..waits.lane
        };
        *waits = Update {
            lane,
            ..as_of_then(played, number, waits)
        };
    }
    Ok(())
}

/// Those who are added by a person are there before their first update is applied.
fn come(states: &BTreeSet<State>, played: &Played, person: usize) -> BTreeSet<State> {
    let who = &played.plan.people[person];
    if who.arrival == Arrival::Created {
        return states.clone();
    }
    let first = BTreeMap::from([(Part::Name, who.first_name())]);
    states
        .iter()
        .map(|state| {
            if state.exists {
                state.clone()
            } else {
                State::existing(first.clone())
            }
        })
        .collect()
}

/// The ends that are recorded are those of one of the possible courses.
fn ends_fit(
    played: &Played,
    updates: &[(i64, Update)],
    states: &BTreeSet<State>,
) -> Result<(), String> {
    let accepted: BTreeMap<usize, &Accepted> = played
        .account
        .accepted
        .iter()
        .map(|accepted| (accepted.item, accepted))
        .collect();
    let mut mismatches = BTreeSet::new();
    for state in states {
        let misfit = updates.iter().find_map(|(_, update)| {
            let word = &*accepted[&update.item].word;
            let fate = state.fates.get(&update.item);
            let is_right = match never_sent(played, update.item) {
                Some(end) => word.starts_with(end),
                None => fits(fate, word, may_be_overtaken(played, update, updates)),
            };
            (!is_right).then(|| {
                format!(
                    "item {} ended as `{word}`, by the model {fate:?}",
                    update.item
                )
            })
        });
        match misfit {
            None => return Ok(()),
            Some(misfit) => mismatches.insert(misfit),
        };
    }
    Err(mismatches.into_iter().collect::<Vec<_>>().join("\n"))
}

/// How it stands where it was erased, or nobody ever had it sent.
fn never_sent(played: &Played, item: usize) -> Option<&'static str> {
    let is_erased = |erasure: &Erasure| erasure.open.contains(&item);
    if played.erasures.iter().any(is_erased) {
        return Some("erased");
    }
    if comes_by_itself(played, item) || played.agains.iter().any(|again| again.has(item)) {
        return None;
    }
    let is_observed = played.observed.contains(&item);
    Some(if is_observed {
        "dropped"
    } else {
        "dead mapping"
    })
}

/// How often a batch is tried until its last goes by itself.
const MOST_TRIES: u32 = 8;

/// Whether later ones that set all of it anew may have gone first: where a batch met trouble again and again, of which the
/// last goes first then; or where a person had it sent again while it was on its way together with them.
fn may_be_overtaken(played: &Played, update: &Update, updates: &[(i64, Update)]) -> bool {
    let mut later: BTreeSet<Part> = BTreeSet::new();
    for (_, other) in updates {
        if other.place > update.place {
            later.extend(other.change.keys().copied());
        }
    }
    let is_replaced = update.change.keys().all(|part| later.contains(part));
    let of_person = |accepted: &Accepted| {
        let mut updates = updates.iter();
        updates.any(|(_, update)| update.item == accepted.item)
    };
    // The head of the batch, and whether it was tried so often.
    let mut heads = played.account.accepted[..=update.place].iter();
    let met_trouble = heads.any(|head| head.attempts >= MOST_TRIES && of_person(head));
    let mut agains = played.agains.iter();
    is_replaced && (met_trouble || agains.any(|again| again.hurried.contains(&update.item)))
}

fn fits(fate: Option<&Fate>, word: &str, may_be_overtaken: bool) -> bool {
    // It was dead when a person gave it up.
    if word == "discarded" {
        return matches!(
            fate,
            None | Some(Fate::GivenUp | Fate::Refused | Fate::Unanswered)
        );
    }
    match fate {
        Some(Fate::GivenUp) => false,
        // Nobody ever came, or came too late.
        None => word.starts_with("dead customer-not-found"),
        Some(Fate::Refused) => ["dead refused", "dead forbidden", "dead retries-exhausted"]
            .iter()
            .any(|dead| word.starts_with(dead)),
        Some(Fate::Unanswered) => word.starts_with("dead retries-exhausted"),
        Some(Fate::Merged) => {
            matches!(word, "superseded" | "unchanged") || (word == "stale" && may_be_overtaken)
        }
        Some(Fate::Stale) => word == "stale",
        Some(Fate::Applied { stale }) if stale.is_empty() => {
            matches!(word, "delivered" | "unchanged" | "superseded")
                || (word == "stale" && may_be_overtaken)
        }
        // What is left may be there already.
        Some(Fate::Applied { .. }) => matches!(word, "delivered" | "stale" | "superseded"),
    }
}
