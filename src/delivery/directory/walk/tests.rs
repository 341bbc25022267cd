use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Quentli's list: identifiers in the order of creation.
struct List(Vec<u32>);

impl List {
    fn of(customers: u32) -> Self {
        Self((0..customers).collect())
    }

    fn page(&self, page: Page) -> Vec<LaneKey> {
        let skip = usize::try_from(page.skip).unwrap();
        let customers = self.0.iter().skip(skip).take(usize::from(page.take));
        customers.map(|customer| key(*customer)).collect()
    }
}

fn key(customer: u32) -> LaneKey {
    LaneKey::of("id", &customer.to_string())
}

/// Walks to the end, while `meanwhile` changes the list after each page; gives the pages asked for.
fn walk(list: &mut List, mut meanwhile: impl FnMut(&mut List, u64)) -> (Walk, Walked, u64) {
    let mut walk = Walk::new();
    for pages in 1.. {
        let page = list.page(walk.next());
        match walk.read(&page) {
            Walked::On => meanwhile(list, pages),
            end => return (walk, end, pages),
        }
    }
    unreachable!("a walk ends");
}

fn missed(walk: &Walk, customers: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let is_missed = |customer: &u32| !walk.seen.contains_key(&key(*customer));
    customers.into_iter().filter(is_missed).collect()
}

#[test]
fn a_list_at_rest_costs_one_look_at_each_page() {
    for (customers, expected) in [(0, 1), (1, 1), (99, 1), (100, 2), (199, 3), (5_000, 51)] {
        let (walk, end, pages) = walk(&mut List::of(customers), |_, _| {});
        assert_eq!((end, pages), (Walked::Through, expected), "{customers}");
        assert_eq!(missed(&walk, 0..customers), [0; 0]);
    }
}

#[test]
fn whoever_moves_up_because_others_are_removed_is_read_all_the_same() {
    for removed in [1, 2, 50, 99, 150] {
        let mut list = List::of(400);
        let (walk, end, _) = walk(&mut list, |list, pages| {
            if pages == 2 {
                list.0.drain(..removed);
            }
        });
        assert_eq!(end, Walked::Through);
        assert_eq!(missed(&walk, list.0), [0; 0], "{removed} were removed");
    }
}

#[test]
fn a_list_that_shrinks_below_where_the_reading_is_is_read_to_its_end() {
    let mut list = List::of(350);
    let (walk, end, _) = walk(&mut list, |list, pages| {
        if pages == 3 {
            list.0.retain(|customer| *customer > 300);
        }
    });
    assert_eq!((end, missed(&walk, list.0)), (Walked::Through, Vec::new()));
}

#[test]
fn a_list_that_gives_the_same_page_for_ever_is_given_up() {
    let mut endless = Walk::new();
    let page = List::of(100).page(Page { skip: 0, take: 100 });
    let mut pages = 0;
    while endless.read(&page) == Walked::On {
        pages += 1;
    }
    assert!(pages < 100, "given up after {pages} pages");
}

#[test]
fn a_list_that_hides_somebody_is_read_again_and_then_given_up() {
    // The server leaves out the tenth customer of every page, and counts it.
    let mut hiding = Walk::new();
    let list = List::of(250);
    let mut readings = 0;
    let end = loop {
        let asked = hiding.next();
        readings += u32::from(asked.skip == 0);
        let mut page = list.page(asked);
        if page.len() > 10 {
            page[10] = page[9];
        }
        match hiding.read(&page) {
            Walked::On => {}
            end => break end,
        }
    };
    assert_eq!((end, readings), (Walked::Lost, 3));
}

#[test]
fn pages_that_cannot_be_had_are_asked_for_in_smaller_pieces() {
    let mut walk = Walk::new();
    let mut takes = Vec::new();
    for _ in 0..5 {
        walk.take_less();
        takes.push(walk.next().take);
    }
    assert_eq!(takes, [50, 25, 12, 10, 10]);
    takes.clear();
    let list = List::of(950);
    while walk.read(&list.page(walk.next())) == Walked::On {
        takes.push(walk.next().take);
    }
    assert_eq!(missed(&walk, 0..950), [0; 0]);
    takes.dedup();
    assert_eq!(takes, [10, 20, 40, 80, 100]);
}

#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index),
    Create,
    /// The database gives this customer and its neighbour, created at the same moment, the other way round.
    Swap(prop::sample::Index),
}

/// Where the list shows whoever is created.
#[derive(Clone, Copy)]
enum Newest {
    Last,
    First,
}

/// A list of so many customers that is walked through while it changes; gives those who are there all the time and were
/// missed, and how the walk ended.
fn walk_while(customers: u32, changes: Vec<Vec<Change>>, newest: Newest) -> (Vec<u32>, Walked) {
    let mut list = List::of(customers);
    let before: BTreeSet<u32> = list.0.iter().copied().collect();
    let mut created = customers..;
    let mut changes = changes.into_iter();
    let (walk, end, _) = walk(&mut list, |list, _| {
        for change in changes.next().unwrap_or_default() {
            let length = list.0.len();
            match change {
                Change::Remove(at) if length > 0 => {
                    list.0.remove(at.index(length));
                }
                Change::Swap(at) if length > 1 => {
                    let place = at.index(length - 1);
                    list.0.swap(place, place + 1);
                }
                Change::Create => {
                    let place = match newest {
                        Newest::Last => length,
                        Newest::First => 0,
                    };
                    list.0.insert(place, created.next().unwrap());
                }
                Change::Remove(_) | Change::Swap(_) => {}
            }
        }
    });
    let still = list
        .0
        .into_iter()
        .filter(|customer| before.contains(customer));
    (missed(&walk, still), end)
}

fn removed_and_created() -> impl Strategy<Value = Vec<Vec<Change>>> {
    several(prop_oneof![
        any::<prop::sample::Index>().prop_map(Change::Remove),
        Just(Change::Create),
    ])
}

fn swapped() -> impl Strategy<Value = Vec<Vec<Change>>> {
    several(any::<prop::sample::Index>().prop_map(Change::Swap))
}

/// What happens after each page.
fn several(change: impl Strategy<Value = Change>) -> impl Strategy<Value = Vec<Vec<Change>>> {
    prop::collection::vec(prop::collection::vec(change, 0..12), 0..20)
}

proptest! {
    #[test]
    fn nobody_who_is_there_all_the_time_is_missed(
        customers in 0_u32..900,
        changes in removed_and_created(),
    ) {
        let walked = walk_while(customers, changes, Newest::Last);
        prop_assert_eq!(walked, (Vec::new(), Walked::Through));
    }

    /// As if the order were ignored, and the newest came first.
    #[test]
    fn whoever_is_created_before_the_others_pushes_nobody_out(
        customers in 0_u32..900,
        changes in removed_and_created(),
    ) {
        let (missed, end) = walk_while(customers, changes, Newest::First);
        prop_assert!(end == Walked::Lost || missed.is_empty(), "{end:?} without {missed:?}");
    }

    /// Without removals the count at the end is exact, so that not even an unsteady order lets a walk be through
    /// without having seen everybody.
    #[test]
    fn customers_of_one_moment_in_any_order_are_never_missed_in_silence(
        customers in 0_u32..900,
        changes in swapped(),
    ) {
        let (missed, end) = walk_while(customers, changes, Newest::Last);
        prop_assert!(end == Walked::Lost || missed.is_empty(), "{end:?} without {missed:?}");
    }
}
