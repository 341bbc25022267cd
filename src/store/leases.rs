//! Who does what, where several processes work on one store: the *leases*.
//!
//! All processes accept. What only one may do at a time has a lease: the deliveries of an organisation, and the upkeep.
//! A lease has at most one holder, an epoch that grows with every claim, and an end, which its holder puts off by
//! renewing it. All times are the store's own clock's, never the process's, so that clocks that differ do no harm.
//!
//! # Contract
//!
//! - **One holder.** A lease is given only when it is free: never claimed, released, or past its end.
//! - **Fenced.** Once an organisation's lease is not this process's any more, [`Store::finish`](super::Store::finish),
//!   [`retry`](super::Store::retry), [`bury`](super::Store::bury) and [`doubt`](super::Store::doubt) of that organisation
//!   fail with [`StoreError::NotHeld`] and change nothing, the doubts included. What counts is the claim that was in force
//!   when the method was called: a call that belongs to an earlier claim of the same process fails, too. The lease is looked
//!   at in the transaction of the change, so a claim by another process sees all of it or none. What people do
//!   ([`Hands`](super::Hands), [`Erasure`](super::erase::Erasure)) and [`Store::accept`](super::Store::accept) need no lease.
//! - **Known by time of sending.** Every duration given to a call begins when the store does the call, which is after it
//!   was sent: a caller who counts from before that is never too late.
//! - **What people do reaches the holder.** [`Leases::raise`] makes a number grow, after what it tells of was committed;
//!   the holder compares it with the one it saw last, and looks what people did.
//!
//! A store that one process has to itself ([`Leases::is_shared`] is `false`) gives every lease to whoever asks, with epoch
//! 1, never takes one away, and refuses no write. What others would have to know it remembers as long as the process lives.

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::event::{DeliveryPos, LaneKey, OrganisationName};

pub use crate::event::ReplicaName;

/// The most bytes of [`Word::status`]; longer ones are not kept.
pub const MOST_STATUS_BYTES: usize = 16 << 10;
/// The most erased customers that are remembered of an organisation: the latest. It is for what is on its way.
pub const MOST_ERASED: usize = 10_000;

/// What one process at a time does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseName {
    /// Brings the deliveries of an organisation to Quentli.
    Organisation(OrganisationName),
    /// Removes what is old, and tells people outside.
    Upkeep,
}

impl LeaseName {
    /// As it is stored. No organisation can have the name that the upkeep has.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Organisation(name) => name.as_str(),
            Self::Upkeep => "@upkeep",
        }
    }

    /// The lease of this name; `None` for what no release up to this one has written.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "@upkeep" {
            return Some(Self::Upkeep);
        }
        text.parse().ok().map(Self::Organisation)
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tells an opening of the store from all others: made at random when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub i64);

/// A process that works on the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    pub process: ProcessId,
    pub name: ReplicaName,
    /// The release of the gateway.
    pub version: String,
    /// When it was first told of.
    pub since: Timestamp,
}

/// A lease that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Greater than that of every earlier claim of this lease.
    pub epoch: i64,
    /// As [`Changes::organisations`] has it for this one, in the moment of the claim.
    pub changes: u64,
}

/// What a holder says of itself when it renews its lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// What [`Lease::status`] shows from then on, in a form that the store does not look at. `None` shows nothing.
    pub status: Option<String>,
    /// The number of changes up to which the holder has done what people want; see [`Lease::seen`].
    pub seen: u64,
}

/// A lease that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub name: LeaseName,
    pub process: ProcessId,
    pub replica: ReplicaName,
    pub epoch: i64,
    /// When it was claimed.
    pub since: Timestamp,
    /// When it was last renewed, or claimed.
    pub renewed: Timestamp,
    /// What the holder last said ([`Word::status`]); `None` before its first word.
    pub status: Option<String>,
    /// What the holder last said ([`Word::seen`]); before its first word, the number at its claim.
    pub seen: u64,
}

/// Numbers that grow when there is something to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Grows with [`Leases::ask_reload`].
    pub reload: u64,
    /// Grows with [`Leases::raise`]. An organisation that is missing stands at 0.
    pub organisations: BTreeMap<OrganisationName, u64>,
}

/// A customer who was erased, known only by a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedCustomer {
    /// [`LaneKey::of`] `id` and the identifier. `None`: only other identifiers are known, of which nothing is kept.
    pub customer: Option<LaneKey>,
    /// Deliveries up to this position are erased; later ones are news.
    pub up_to: DeliveryPos,
}

/// Who does what. See the module's contract.
#[async_trait]
pub trait Leases: Send + Sync + fmt::Debug {
    /// Whether other processes may work on this store, now or later. Never changes.
    fn is_shared(&self) -> bool;

    /// This opening of the store.
    fn process(&self) -> ProcessId;

    /// Says that this process is there and can take leases; after `lasts` without another word it is not counted any more.
    /// Gives all that are there now, this one included, by [`Replica::process`].
    async fn attend(
        &self,
        name: &ReplicaName,
        version: &str,
        lasts: Duration,
    ) -> Result<Vec<Replica>, StoreError>;

    /// Says that this process takes no leases any more: it is not counted from now on. Its leases stay as they are.
    async fn depart(&self) -> Result<(), StoreError>;

    /// Takes a lease for `lasts`, where it is free or this process's own already: that is then a claim like any other, and
    /// what was begun under the one before is fenced off. `None` where another process holds it, and for half of `lasts` after a
    /// database that several share turned out to be another one than before: what was sent until then may be on its way.
    async fn claim(
        &self,
        name: &LeaseName,
        by: &ReplicaName,
        lasts: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Puts the end of a lease off, to `lasts` from now, and gives the number of changes, as in [`Claim::changes`].
    ///
    /// # Errors
    /// [`StoreError::NotHeld`]: it is past its end, also where nobody has claimed it since, or was released. After any other
    /// error the end may have been put off or not.
    async fn renew(&self, name: &LeaseName, lasts: Duration, word: Word)
    -> Result<u64, StoreError>;

    /// Gives a lease back, so that another process can claim it at once. What this process asked for before, and what has
    /// returned, was done under the lease. Nothing happens where it is not held.
    async fn release(&self, name: &LeaseName) -> Result<(), StoreError>;

    /// All leases that are held, by name as it is stored. Those past their end are not among them.
    async fn leases(&self) -> Result<Vec<Lease>, StoreError>;

    /// The numbers as they are now. Cheap: every process asks every second.
    async fn changes(&self) -> Result<Changes, StoreError>;

    /// Makes the number of each of these organisations grow.
    async fn raise(&self, organisations: &[OrganisationName]) -> Result<(), StoreError>;

    /// Remembers that a customer is being erased, for at least a day or until [`MOST_ERASED`] others of the organisation
    /// were. Of the same customer the greater position counts. Raises nothing.
    async fn note_erased(
        &self,
        organisation: &OrganisationName,
        erased: ErasedCustomer,
    ) -> Result<(), StoreError>;

    /// What is remembered of an organisation's erased customers, in any order.
    async fn erased(
        &self,
        organisation: &OrganisationName,
    ) -> Result<Vec<ErasedCustomer>, StoreError>;

    /// Asks every process to read its files again: gives the new number, which each sees in [`Changes::reload`].
    async fn ask_reload(&self) -> Result<u64, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upkeep_has_a_name_that_no_organisation_can_have() {
        let upkeep = LeaseName::Upkeep;
        assert!(upkeep.as_str().parse::<OrganisationName>().is_err());
        let organisation = LeaseName::Organisation(OrganisationName::default_name());
        for name in [upkeep, organisation] {
            assert_eq!(LeaseName::parse(name.as_str()), Some(name));
        }
        assert_eq!(LeaseName::parse("@other"), None);
    }
}
