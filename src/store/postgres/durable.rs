//! Whether the server keeps what it commits. Its settings may change while the gateway runs, and after a failover the server is
//! another one, so every transaction that accepts looks at them itself.

use std::sync::atomic::{AtomicBool, Ordering};

use super::fault::Fault;

/// A column: the first of the settings without which a commit can be lost that is off in this session now; NULL where all are on.
macro_rules! off {
    () => {
        "CASE 'off' WHEN current_setting('fsync') THEN 'fsync'
                    WHEN current_setting('full_page_writes') THEN 'full_page_writes'
                    WHEN current_setting('synchronous_commit') THEN 'synchronous_commit' END"
    };
}
pub(super) use off;

/// Whether a server that loses acknowledged events in a power cut is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Required,
    /// Somebody said so in words.
    LossAccepted,
}

impl Durability {
    /// The setting, of those that are [`off`], for which nothing is accepted.
    pub(super) fn lacks(self, off: Option<String>) -> Option<String> {
        off.filter(|_| self == Self::Required)
    }
}

/// What is said of a server that has a setting off, with the remedy.
pub(super) fn objection(setting: &str) -> String {
    format!(
        "the server has `{setting}` off, so it can lose what was acknowledged; turn it on, or, if losing events is accepted here, \
         say so with `database.accept_data_loss: true`"
    )
}

/// Judges the server again and again, and says in the log when it changes for the worse or the better.
#[derive(Debug)]
pub(super) struct Trust {
    durability: Durability,
    is_lost: AtomicBool,
}

impl Trust {
    pub(super) const fn new(durability: Durability) -> Self {
        Self {
            durability,
            is_lost: AtomicBool::new(false),
        }
    }

    /// Whether nothing is accepted now.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// An error while a setting is [`off`]: nothing may be accepted.
    pub(super) fn judge(&self, off: Option<String>) -> Result<(), Fault> {
        let Some(setting) = self.durability.lacks(off) else {
            if self.is_lost.swap(false, Ordering::Relaxed) {
                tracing::info!("the server keeps what it commits again: webhooks are accepted");
            }
            return Ok(());
        };
        let objection = objection(&setting);
        if !self.is_lost.swap(true, Ordering::Relaxed) {
            tracing::error!(cause = %objection, "nothing is accepted: webhooks are answered 503 until that is mended");
        }
        Err(Fault::Moment(objection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_refused_while_a_setting_is_off_unless_loss_is_accepted() {
        let trust = Trust::new(Durability::Required);
        let fsync = || Some("fsync".to_owned());
        let said = trust.judge(fsync()).unwrap_err().error().to_string();
        assert!(
            said.contains("`fsync` off") && said.contains("accept_data_loss"),
            "{said}"
        );
        assert!(trust.is_lost());
        assert!(trust.judge(None).is_ok() && !trust.is_lost());
        assert!(Trust::new(Durability::LossAccepted).judge(fsync()).is_ok());
    }
}
