//! What people do: have it sent again, also mapped anew, give it up, stop it and start it, have a source go live that only
//! observed, and have somebody erased.

use std::time::Duration;

use quentli_gateway::sandbox::{Action, Fault};
use rand::RngExt as _;

use super::{Maker, Stage};
use crate::{
    people::ORGANISATIONS,
    plan::{Form, Request, Scope, Step, Wish},
    sources::SOURCES,
};

impl Maker {
    /// Some sources only observe at first: none that creates, and not the one whose values go there and back.
    pub(super) fn observe(&mut self) {
        let may = |source: &usize| SOURCES[*source].has_versions;
        for source in (0..SOURCES.len()).filter(may) {
            if self.random.random_ratio(1, 4) {
                self.plan.observing.insert(source);
                self.watched.insert(source);
            }
        }
    }

    /// Something of it, in the middle of everything; `false` where nothing is to be done.
    pub(super) fn by_hand(&mut self) -> bool {
        match self.random.random_range(0..16) {
            0 | 1 => {
                let scope = if self.random.random_ratio(1, 3) {
                    Scope::Organisation(self.random.random_range(0..ORGANISATIONS.len()))
                } else {
                    Scope::Source(self.random.random_range(0..SOURCES.len()))
                };
                self.paused.push(scope);
                self.plan.steps.push(Step::Pause(scope));
            }
            2 => {
                let Some(scope) = self.paused.pop() else {
                    return false;
                };
                self.plan.steps.push(Step::Resume(scope));
            }
            3 => {
                let lot = self.random.random();
                self.plan.steps.push(Step::Discard { lot });
            }
            4 | 5 => {
                let wish = self.wish();
                self.plan.steps.push(Step::Redeliver(wish));
            }
            6 | 7 => return self.go_live(),
            8 | 9 => {
                let wish = self.wish();
                self.plan.steps.push(Step::Hurry(wish));
            }
            10..13 => self.again_under_way(),
            13 => self.mend(),
            _ => {
                let wish = self.wish();
                self.plan.steps.push(Step::Remap(wish));
            }
        }
        true
    }

    /// Has something sent again, or mapped again, while attempts are under way whose answers take their time.
    fn again_under_way(&mut self) {
        let organisation = self.random.random_range(0..ORGANISATIONS.len());
        let slow = Action::Slow {
            milliseconds: match self.form {
                Form::Driven => self.random.random_range(1_000..9_000),
                Form::Process => self.random.random_range(10..100),
            },
        };
        let slow = Fault::times(self.random.random_range(1..4), slow).on_method("PATCH");
        self.plan.steps.push(Step::Trouble(organisation, slow));
        let requests = self.requests();
        self.plan.steps.push(Step::Send(requests));
        if self.random.random_ratio(1, 2) {
            let moment = match self.form {
                Form::Driven => Duration::from_millis(self.random.random_range(100..1_000)),
                Form::Process => Duration::from_millis(self.random.random_range(1..20)),
            };
            self.plan.steps.push(Step::Wait(moment));
        }
        let wish = self.wish();
        self.plan.steps.push(if self.random.random_ratio(2, 3) {
            Step::Hurry(wish)
        } else {
            Step::Remap(wish)
        });
        if self.random.random_ratio(1, 6) {
            self.plan.steps.push(Step::Kill);
        }
    }

    /// Some more sources get their files mended.
    fn mend(&mut self) {
        for source in 0..SOURCES.len() {
            if self.random.random_ratio(1, 3) && self.mended.insert(source) {
                self.plan.steps.push(Step::Mend(source));
            }
        }
    }

    /// Before anything else that is done where everything has come to rest.
    pub(super) fn erase_somebody(&mut self) {
        if self.random.random_ratio(1, 3) {
            let lot = self.random.random();
            self.plan.steps.push(Step::Erase { lot });
        }
    }

    /// After everything came to rest.
    pub(super) fn sent_again_at_rest(&mut self) {
        if self.random.random_ratio(1, 4) {
            self.plan.steps.push(Step::Forgive);
        }
        if self.random.random_ratio(1, 2) {
            self.mend();
        }
        if self.random.random_ratio(1, 3) {
            let wish = self.wish();
            self.plan.steps.push(Step::Remap(wish));
        }
        if self.random.random_ratio(1, 6) {
            let wish = self.wish();
            self.plan.steps.push(Step::Hurry(wish));
        }
        if self.random.random_ratio(1, 3) {
            let lot = self.random.random();
            self.plan.steps.push(Step::Discard { lot });
        }
        if self.random.random_ratio(1, 2) {
            let wish = self.wish();
            self.plan.steps.push(Step::Redeliver(wish));
        }
        if self.random.random_ratio(1, 2) {
            self.go_live();
        }
    }

    /// At the end of a run.
    pub(super) fn sent_again_at_last(&mut self) {
        if self.form == Form::Driven && self.random.random_ratio(1, 3) {
            // Whoever never came is not looked for any more.
            self.plan.steps.push(Step::Wait(Duration::from_hours(100)));
            self.rest();
        }
        if self.random.random_ratio(1, 2) {
            while self.go_live() {}
            // What is on its way may meet Quentli before or after it takes everything, and nobody could say which.
            self.rest();
            self.erase_somebody();
            self.sent_again_at_rest();
        }
    }

    /// A source goes live, and sooner or later what it observed is sent.
    fn go_live(&mut self) -> bool {
        let watched: Vec<usize> = self.watched.iter().copied().collect();
        let Some(source) = watched.first().copied() else {
            return false;
        };
        let is_live = |step: &Step| matches!(step, Step::GoLive(live) if *live == source);
        let was_live = self.plan.steps.iter().any(is_live);
        if !was_live {
            self.plan.steps.push(Step::GoLive(source));
        }
        if was_live || self.random.random_ratio(1, 2) {
            let wish = self.wish();
            self.plan.steps.push(Step::SendObserved(source, wish));
            self.watched.remove(&source);
        }
        true
    }

    fn wish(&mut self) -> Wish {
        Wish {
            lot: self.random.random(),
            overwrites: self.random.random_ratio(1, 3),
        }
    }

    /// With the system's clock nobody waits for days, so whoever is still waited for is created before all comes to rest.
    pub(super) fn no_one_is_left_unborn(&mut self) {
        if self.form == Form::Driven {
            return;
        }
        for person in 0..self.plan.people.len() {
            if self.stage[person] != Stage::Unborn {
                continue;
            }
            let of = &self.plan.people[person];
            let source = SOURCES
                .iter()
                .position(|source| source.creates && source.organisation == of.organisation);
            let (source, key) = (source.unwrap(), of.keys[0]);
            let number = self.item_of(source, person, key);
            self.plan.requests.push(Request {
                source,
                items: vec![number],
            });
            let request = self.plan.requests.len() - 1;
            self.plan.steps.push(Step::Send(vec![request]));
        }
        self.born();
    }
}
