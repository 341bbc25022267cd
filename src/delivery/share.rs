//! Turns between two kinds of work when both wait.

/// Gives the lesser kind one turn in a fixed number, so that neither starves the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// Turns of the greater kind since the last of the lesser.
    passed: u32,
    one_in: u32,
}

impl Share {
    /// The lesser kind gets one turn in `one_in`.
    pub(super) const fn one_in(one_in: u32) -> Self {
        Self { passed: 0, one_in }
    }

    /// Whether the next turn is the lesser kind's. Ask only when both kinds wait.
    pub(super) const fn is_lessers_turn(&mut self) -> bool {
        self.passed += 1;
        let turn = self.passed >= self.one_in;
        if turn {
            self.passed = 0;
        }
        turn
    }

    /// The greater kind made no use of its turn after all.
    pub(super) const fn give_back(&mut self) {
        self.passed = self.passed.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lesser_kind_gets_one_turn_in_five() {
        let mut share = Share::one_in(5);
        let turns: Vec<bool> = (0..10).map(|_| share.is_lessers_turn()).collect();
        let t = true;
        assert_eq!(turns, [!t, !t, !t, !t, t, !t, !t, !t, !t, t]);
    }

    #[test]
    fn a_turn_that_was_not_used_does_not_count() {
        let mut share = Share::one_in(2);
        assert!(!share.is_lessers_turn());
        share.give_back();
        assert!(!share.is_lessers_turn());
        assert!(share.is_lessers_turn());
    }
}
