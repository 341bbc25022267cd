//! The contract of [`Store`] as tests, one suite for every engine: `contract_suite!(home)` makes a test of each
//! function here, where `home().await` gives an empty [`Home`], or nothing where the engine is not there to be tested.
//!
//! Nothing here knows an engine. What only one engine promises is tested beside it.

pub(super) mod accepting;
pub(super) mod accounting;
pub(super) mod applying;
pub(super) mod archiving;
pub(super) mod auditing;
pub(super) mod delivering;
pub(super) mod erasing;
pub(super) mod hands;
pub(super) mod leasing;
pub(super) mod observing;
pub(super) mod redelivering;
pub(super) mod refusing;
pub(super) mod remapping;
pub(super) mod requesting;
pub(super) mod samples;
pub(super) mod secrets;
pub(super) mod sharing;
pub(super) mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Archive, AuditLog, Hands, Leases, ObservedUpdates, RefusedRequests, Store, StoredRequests,
    erase::Erasure, upkeep::Upkeep,
};
use crate::event::EventSeq;

/// A place where a store can be opened again and again: one at a time, or several at a time where the engine is for
/// several processes.
///
/// But for [`Home::open_leases`], what is opened may write what became of deliveries: an engine that asks for a lease
/// is given those of all organisations of the samples first.
#[async_trait]
pub(super) trait Home: Send + Sync {
    async fn open(&self) -> Box<dyn Store>;

    /// The same for its refused requests; closed by dropping it.
    async fn open_refused(&self) -> Box<dyn RefusedRequests>;

    /// The same for stored requests.
    async fn open_requests(&self) -> Box<dyn StoredRequests>;

    /// The same for what sources observed.
    async fn open_observed(&self) -> Box<dyn ObservedUpdates>;

    /// The same for its audit log.
    async fn open_audit(&self) -> Box<dyn AuditLog>;

    /// The same with what people do; closed by dropping both.
    async fn open_hands(&self) -> (Arc<dyn Store>, Arc<dyn Hands>);

    /// The same with what erases persons.
    async fn open_erasure(&self) -> (Arc<dyn Store>, Arc<dyn Erasing>);

    /// The same with its upkeep.
    async fn open_upkeep(&self) -> (Arc<dyn Store>, Arc<dyn Upkeep>);

    /// The same with its leases, of which it holds none. Where the engine is for several, each is another process.
    async fn open_leases(&self) -> (Arc<dyn Store>, Arc<dyn Leases>);

    /// The same with its archive.
    async fn open_archive(&self) -> Box<dyn Archived>;

    /// Takes an event and all that hangs on it out of the closed store, as the end of its retention does.
    async fn prune(&self, event: EventSeq);
}

/// What erases, with refused requests.
pub(super) trait Erasing: Erasure + RefusedRequests {}

impl<T: Erasure + RefusedRequests> Erasing for T {}

/// A store with its archive.
pub(super) trait Archived: Store + Archive {}

impl<T: Store + Archive> Archived for T {}

macro_rules! contract_suite {
    ($home:path) => {
        $crate::store::contract::contract_suite!(
            $home: accepting:
            an_accepted_event_is_there_after_a_restart,
            a_known_key_is_a_duplicate_also_after_a_restart,
            known_groups_are_left_out_and_counted,
            a_request_that_is_known_is_counted_without_being_stored,
            an_id_with_another_body_is_noticed_by_both_ways,
            a_key_given_twice_in_one_event_is_taken_once,
            of_many_calls_with_the_same_keys_each_key_is_taken_once,
            numbers_grow_in_the_order_of_acceptance,
            numbers_are_not_used_again_after_the_newest_event_is_gone,
            an_event_without_deliveries_is_refused_and_leaves_nothing,
            one_impossible_call_does_not_harm_those_beside_it,
            errors_and_debug_output_name_no_values,
            the_value_key_stays,
            after_close_every_call_is_refused,
        );
        $crate::store::contract::contract_suite!(
            $home: delivering:
            a_waiting_delivery_is_taken_as_it_was_given,
            a_lane_gives_its_deliveries_in_order,
            lanes_show_their_heads_page_by_page,
            arrivals_are_announced_and_listed_after_a_position,
            what_is_dead_is_in_no_lane,
            an_end_moves_a_delivery_into_its_history,
            a_retry_stays_in_its_lane_with_its_attempt,
            a_buried_delivery_waits_for_a_person_who_may_discard_it,
            what_a_delivery_carried_ends_with_it_and_is_counted_by_source,
            what_is_not_open_cannot_be_changed,
            what_an_attempt_took_counts_for_no_other_delivery_of_its_position,
            another_organisation_cannot_change_or_see_a_delivery,
            an_attempt_told_again_replaces_what_was_told,
            the_oldest_waiting_is_the_first_that_still_waits,
            the_dead_are_listed_newest_first_and_by_source,
            an_unknown_event_has_nothing,
        );
        $crate::store::contract::contract_suite!(
            $home: applying:
            a_confirmed_part_is_there_after_a_restart,
            a_confirmed_part_replaces_and_its_position_and_versions_only_grow,
            a_part_of_any_name_can_be_confirmed_and_doubted,
            each_source_keeps_its_version_when_another_writes,
            doubt_takes_nothing_away_but_certainty,
            of_a_delivery_that_a_person_ended_what_was_sent_is_in_doubt,
            what_is_known_belongs_to_one_customer_of_one_organisation,
            what_was_left_out_stays_dead_in_its_place_and_a_later_one_replaces_it,
        );
        $crate::store::contract::contract_suite!(
            $home: accounting:
            counters_add_up_through_any_history,
        );
        $crate::store::contract::contract_suite!(
            $home: archiving:
            lists_hold_what_passes_their_filter_in_both_orders_and_any_pages,
            events_are_listed_by_what_became_of_their_deliveries,
            an_event_is_shown_with_its_facts_and_what_would_be_sent,
            a_delivery_is_found_by_its_customer_however_it_became_known,
            an_event_is_found_by_its_dedup_key,
            the_causes_of_dead_deliveries_are_told_apart,
            an_organisation_is_known_by_what_is_open_or_dead_or_ended_for_a_customer,
            times_are_found_however_the_clock_jumped,
        );
        $crate::store::contract::contract_suite!(
            $home: auditing:
            an_act_is_there_after_a_restart,
            acts_are_listed_newest_first_by_kind_and_page,
            only_acts_of_the_last_two_years_stay,
        );
        $crate::store::contract::contract_suite!(
            $home: observing:
            an_observed_update_ends_at_once_and_is_kept,
            observed_updates_are_listed_oldest_first_and_page_by_page,
            observed_updates_go_with_the_body_of_their_event,
            what_was_observed_is_sent_at_its_own_place_and_counted_once,
        );
        $crate::store::contract::contract_suite!(
            $home: refusing:
            a_refused_request_is_there_after_a_restart,
            equal_refusals_are_one_row_that_counts,
            only_the_newest_refusals_of_each_source_stay,
            refusals_are_listed_newest_first_by_source_reason_and_page,
            a_kept_request_comes_back_as_it_was_until_its_time,
            kept_requests_are_bounded_by_number_and_bytes_and_outlive_bare_rows,
            of_equal_kept_requests_the_first_stays,
            what_was_accepted_later_is_not_kept_any_more_and_says_so_once,
            what_is_refused_again_stays_with_its_new_reason,
            kept_requests_are_not_seen_in_debug_output,
        );
        $crate::store::contract::contract_suite!(
            $home: redelivering:
            a_redelivered_one_is_back_at_its_place_as_if_new,
            attempts_are_numbered_on_after_a_redelivery,
            what_waits_or_is_looked_for_is_redelivered_at_its_place,
            what_is_not_open_or_says_nothing_is_not_redelivered,
            what_an_attempt_took_before_a_redelivery_counts_no_more,
            an_attempt_that_a_redelivery_overtook_is_among_the_earlier_ones,
            something_new_in_a_lane_is_seen_wherever_it_waits,
        );
        $crate::store::contract::contract_suite!(
            $home: hands:
            open_deliveries_are_found_by_what_is_asked,
            an_open_delivery_shows_what_would_be_sent,
            what_is_discarded_ends_and_says_why,
            what_was_perhaps_sent_is_in_doubt_once_a_person_changes_it,
            a_pause_is_kept_until_somebody_ends_it,
            a_change_of_too_many_is_refused_whole,
        );
        $crate::store::contract::contract_suite!(
            $home: remapping:
            what_could_not_be_mapped_takes_its_place_when_it_can,
            what_ended_stays_and_what_is_new_counts_as_of_its_event,
            what_its_source_observes_now_is_kept_and_counts_as_of_its_place,
            fewer_and_other_outcomes_end_or_die_and_add_up,
            a_body_that_failed_whole_gives_the_items_that_nobody_else_holds,
        );
        $crate::store::contract::contract_suite!(
            $home: requesting:
            requests_of_a_source_come_newest_first_and_page_by_page,
        );
        $crate::store::contract::contract_suite!(
            $home: secrets:
            a_learned_secret_stays_and_is_not_replaced,
            of_many_secrets_named_at_once_one_is_learned,
            a_forgotten_secret_makes_room_for_another,
        );
        $crate::store::contract::contract_suite!(
            $home: erasing:
            every_trace_of_a_person_goes_and_others_stay,
            an_item_beside_known_ones_of_the_person_stays,
            a_late_repetition_does_not_bring_a_person_back,
            a_person_of_another_organisation_is_another_person,
            an_attempt_on_its_way_ends_without_a_delivery,
            what_ends_as_erased_leaves_no_attempt,
            what_was_tried_and_then_given_up_goes_too,
            many_events_are_searched_page_by_page,
            large_bodies_are_searched_page_by_page,
            refused_requests_are_searched_page_by_page,
            what_a_source_without_events_refused_is_erased_where_it_is_the_organisations,
        );
        $crate::store::contract::contract_suite!(
            $home: upkeep:
            the_calendar_is_as_it_was_set_also_after_a_restart,
            what_was_accepted_after_the_date_stays,
            a_key_that_was_pruned_is_new_again_and_others_are_known,
            bodies_of_open_deliveries_stay_until_these_have_ended,
            an_event_goes_when_nothing_is_left_of_it_in_whatever_order,
            no_time_of_an_event_moves_anything_only_the_date_does,
            marks_that_no_date_needs_any_more_are_dropped_and_nothing_else_changes,
            history_of_many_deliveries_goes_in_pieces,
        );
        $crate::store::contract::contract_suite!(
            $home: leasing:
            a_free_lease_is_given_and_shown,
            a_holders_word_is_shown_from_its_renewal_on,
            a_released_lease_is_nobodys_and_can_be_claimed,
            a_number_grows_for_whom_it_concerns,
            an_erased_customer_is_remembered_by_its_hash,
            who_is_there_is_shown_until_it_departs,
        );
    };
    // What needs an engine for several processes: `contract_suite!(several: home)`, beside the others.
    (several: $home:path) => {
        $crate::store::contract::contract_suite!(
            $home: sharing:
            what_one_holds_another_is_not_given,
            of_many_claims_at_once_one_is_given,
            a_released_lease_goes_to_another_at_once,
            past_its_end_a_lease_is_lost_and_its_writes_are_refused,
            past_its_end_a_lease_is_lost_also_where_nobody_wants_it,
            without_a_lease_nothing_of_an_organisation_can_be_written,
            a_renewed_lease_outlives_its_first_end,
            everybody_sees_who_is_there,
            what_people_do_is_seen_by_every_process,
        );
    };
    ($home:path: $module:ident: $($name:ident,)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let Some(home) = $home().await else { return };
                $crate::store::contract::$module::$name(&home).await;
            }
        )+
    };
}
pub(super) use contract_suite;
