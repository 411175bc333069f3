//! The text that `/metrics` shows.

use saga_lib::instance::{IncidentKind, Status};

use super::guard::{Guarded, OTHER, Overflow};
use super::label::*;
use super::register::Register;
use super::*;

fn metrics() -> Metrics {
    Metrics::new(Build::of("2.12.1")).expect("consistent")
}

fn check_line(metrics: &Metrics, line: &str) {
    let text = metrics.text().expect("text");
    assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
}

#[test]
fn closed_sets_are_shown_from_the_start() {
    let metrics = metrics();
    check_line(&metrics, "skald_transactions_total{outcome=\"fenced\"} 0");
    check_line(&metrics, "skald_redis_errors_total{kind=\"oom\"} 0");
    check_line(&metrics, "skald_ready 0");
}

#[test]
fn build_info_names_the_build() {
    let text = metrics().text().expect("text");
    let info = text.lines().find(|l| l.starts_with("skald_build_info{"));
    let info = info.expect("build info");
    assert!(
        info.contains("librdkafka=\"2.12.1\"") && info.ends_with(" 1"),
        "{info}"
    );
}

#[test]
fn handles_count_into_their_series() {
    let metrics = metrics();
    let order = metrics.definition("order", 2);
    order.started.at(Trigger::Event).inc();
    order.finished.at(SagaOutcome::Compensated).inc();
    order.incident(IncidentKind::UnknownPivot);
    let credit = metrics.sagas().step(&order, "credit");
    credit
        .compensations
        .at(CompensationOutcome::Confirmed)
        .inc_by(3);
    check_line(
        &metrics,
        "skald_sagas_started_total{def=\"order\",trigger=\"event\",ver=\"2\"} 1",
    );
    check_line(
        &metrics,
        "skald_sagas_finished_total{def=\"order\",outcome=\"compensated\",ver=\"2\"} 1",
    );
    check_line(
        &metrics,
        "skald_incidents_total{def=\"order\",kind=\"unknown_pivot\"} 1",
    );
    check_line(
        &metrics,
        "skald_compensations_total{def=\"order\",outcome=\"confirmed\",step=\"credit\"} 3",
    );
}

#[test]
fn what_matters_to_the_business_is_counted() {
    let metrics = metrics();
    let business = metrics.business();
    business.milestone("order", "paid", 90_000);
    business.service_level("order", "ship", true);
    business.service_level("order", "ship", false);
    business.value("order", "revenue", &serde_json::json!(12.5));
    business.value("order", "revenue", &serde_json::json!("much"));
    business.value("order", "revenue", &serde_json::json!(-1));
    let lines = [
        "skald_milestones_total{def=\"order\",milestone=\"paid\"} 1",
        "skald_milestone_seconds_sum{def=\"order\",milestone=\"paid\"} 90",
        "skald_sla_total{def=\"order\",result=\"met\",sla=\"ship\"} 1",
        "skald_sla_total{def=\"order\",result=\"breached\",sla=\"ship\"} 1",
        "skald_business_value_total{def=\"order\",measure=\"revenue\",outcome=\"completed\"} 12.5",
    ];
    lines.iter().for_each(|line| check_line(&metrics, line));
}

#[test]
fn a_lane_that_moves_away_takes_its_instances_with_it() {
    let metrics = metrics();
    let order = metrics.definition("order", 1);
    order.set_active(0, Status::Running, 5);
    order.set_active(1, Status::Running, 7);
    order.set_active(0, Status::Running, 4);
    let line = "skald_sagas_active{def=\"order\",state=\"running\",ver=\"1\"}";
    check_line(&metrics, &format!("{line} 11"));
    order.forget_lane(1);
    check_line(&metrics, &format!("{line} 4"));
}

#[test]
fn a_lane_is_in_one_state() {
    let metrics = metrics();
    metrics.lanes().set_state(3, LaneState::Recovering);
    metrics.lanes().set_state(3, LaneState::Ready);
    check_line(
        &metrics,
        "skald_lane_state{lane=\"3\",state=\"recovering\"} 0",
    );
    check_line(&metrics, "skald_lane_state{lane=\"3\",state=\"ready\"} 1");
    metrics.lanes().forget(3);
    assert!(!metrics.text().expect("text").contains("lane=\"3\""));
}

#[test]
fn label_sets_beyond_the_limit_fold_into_one() {
    let registry = Registry::new();
    let overflow = Overflow::new(&registry).expect("registers");
    let vector = Register::new(&registry, &overflow)
        .counters("topics_total", "Topics.", &["topic", "kind"])
        .expect("registers");
    let guarded = Guarded::new("topics_total", vector, 1, &overflow).with_limit(2);
    for topic in ["a", "b", "c", "d", "a"] {
        guarded.with(&[topic, "event"]).inc();
    }
    assert_eq!(guarded.with(&["a", "event"]).get(), 2);
    assert_eq!(guarded.with(&[OTHER, "event"]).get(), 2);
}

#[test]
fn every_metric_has_a_legal_name_and_help() {
    let metrics = metrics();
    metrics.definition("order", 1);
    for family in metrics.0.registry.gather() {
        let name = family.name();
        assert!(
            name.starts_with("skald_") || name.starts_with("process_"),
            "{name}"
        );
        assert!(!family.help().is_empty(), "{name}");
    }
}

#[test]
fn a_measure_that_is_no_amount_is_counted_as_missing() {
    let metrics = metrics();
    for value in [
        serde_json::json!(12.5),
        serde_json::json!(-1),
        serde_json::json!("many"),
    ] {
        metrics.business().value("order", "amount", &value);
    }
    check_line(
        &metrics,
        "skald_business_value_total{def=\"order\",measure=\"amount\",outcome=\"completed\"} 12.5",
    );
    check_line(
        &metrics,
        "skald_measures_refused_total{def=\"order\",measure=\"amount\"} 2",
    );
}
