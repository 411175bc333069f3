use super::*;

fn limit(in_a_row: u32, ratio: f64) -> Limit {
    Limit::new(Bounds { in_a_row, ratio })
}

/// Plans and commits these records.
fn went(limit: &mut Limit, dead: &[bool]) {
    limit.begin();
    limit.plan(dead);
    assert_eq!(limit.excess(), None);
    limit.commit();
}

/// Every third record is a dead letter.
fn third(records: usize) -> Vec<bool> {
    (0..records).map(|n| n % 3 == 2).collect()
}

#[test]
fn dead_letters_in_a_row_may_reach_the_bound_but_not_exceed_it() {
    let mut limit = limit(5, 1.0);
    went(&mut limit, &[true; 5]);
    limit.begin();
    limit.plan(&[true]);
    assert_eq!(limit.excess(), Some(Excess::InARow(6)));
}

#[test]
fn a_good_record_ends_the_row() {
    let mut limit = limit(5, 1.0);
    went(&mut limit, &[true, true, true, true, true, false, true]);
    went(&mut limit, &[true; 4]);
}

#[test]
fn a_row_inside_of_a_batch_counts_although_the_batch_ends_well() {
    let mut limit = limit(2, 1.0);
    limit.begin();
    limit.plan(&[true, true, true, false]);
    assert_eq!(limit.excess(), Some(Excess::InARow(3)));
}

#[test]
fn what_was_planned_but_not_committed_does_not_count() {
    let mut limit = limit(5, 1.0);
    for _ in 0..3 {
        limit.begin();
        limit.plan(&[true; 5]);
        assert_eq!(limit.excess(), None);
    }
}

#[test]
fn all_partitions_of_a_batch_count_together() {
    let mut limit = limit(5, 1.0);
    limit.begin();
    limit.plan(&[true; 3]);
    limit.plan(&[true; 3]);
    assert_eq!(limit.excess(), Some(Excess::InARow(6)));
}

#[test]
fn an_excess_is_not_taken_back() {
    let mut limit = limit(1, 1.0);
    limit.begin();
    limit.plan(&[true, true]);
    limit.begin();
    limit.plan(&[false]);
    assert_eq!(limit.excess(), Some(Excess::InARow(2)));
}

#[test]
fn a_ratio_says_nothing_below_the_sample() {
    let mut limit = limit(u32::MAX, 0.3);
    went(&mut limit, &third(SAMPLE - 1));
    limit.begin();
    limit.plan(&[true]);
    let excess = limit.excess();
    assert_eq!(
        excess,
        Some(Excess::Ratio {
            dead: 334,
            of: SAMPLE
        })
    );
}

#[test]
fn the_ratio_sees_only_the_newest_records() {
    let mut limit = limit(u32::MAX, 0.5);
    went(&mut limit, &vec![false; 3 * WINDOW]);
    went(&mut limit, &vec![true; WINDOW / 2]);
    limit.begin();
    limit.plan(&[true]);
    let dead = WINDOW / 2 + 1;
    assert_eq!(limit.excess(), Some(Excess::Ratio { dead, of: WINDOW }));
}

#[test]
fn a_steady_share_below_the_ratio_goes_on_for_ever() {
    let mut limit = limit(10, 0.5);
    for _ in 0..5 {
        went(&mut limit, &third(WINDOW));
    }
}

#[test]
fn a_ratio_of_one_never_strikes() {
    let mut limit = limit(u32::MAX, 1.0);
    went(&mut limit, &vec![true; 2 * WINDOW]);
}
