//! Until when work may go on, as the work sees it.

use std::time::Duration;

use tokio::sync::watch;

/// How long a lease is held for sure, by this process's own clock. Cheap to clone; clones see the same.
#[derive(Clone, Debug)]
pub struct Tenure {
    /// By [`Clock::elapsed`](crate::clock::Clock::elapsed); `None`: never.
    end: Option<watch::Receiver<Duration>>,
    reserve: Duration,
}

impl Tenure {
    /// One that never ends.
    pub fn forever() -> Self {
        Self {
            end: None,
            reserve: Duration::ZERO,
        }
    }

    /// One that ends at `end`, and whoever sets that; it ends with that, too. What is begun takes up to `reserve`.
    pub fn until(end: Duration, reserve: Duration) -> (watch::Sender<Duration>, Self) {
        let (sender, end) = watch::channel(end);
        let end = Some(end);
        (sender, Self { end, reserve })
    }

    /// Whether the lease is held, for sure, at this [`Clock::elapsed`](crate::clock::Clock::elapsed).
    pub fn is_held(&self, now: Duration) -> bool {
        let Some(end) = &self.end else {
            return true;
        };
        // Where nobody can put the end off any more, the lease is given back or was dropped.
        end.has_changed().is_ok() && now < *end.borrow()
    }

    /// Whether what is begun now ends before the lease does.
    pub fn covers(&self, now: Duration) -> bool {
        self.is_held(now.saturating_add(self.reserve))
    }

    /// Waits until the end is another one; for ever when it stays. Cancel-safe.
    pub async fn changed(&mut self) {
        if let Some(end) = &mut self.end
            && end.changed().await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_outlive_the_lease_is_not_covered() {
        let second = Duration::from_secs(1);
        let (end, tenure) = Tenure::until(second * 30, second * 12);
        let at = |now: u32| (tenure.is_held(second * now), tenure.covers(second * now));
        assert_eq!(at(17), (true, true));
        assert_eq!(at(18), (true, false));
        assert_eq!(at(30), (false, false));
        end.send_replace(second * 40);
        assert_eq!(at(27), (true, true));
        drop(end);
        assert_eq!(at(27), (false, false), "nobody holds it any more");
        assert!(Tenure::forever().covers(second * 1_000_000));
    }
}
