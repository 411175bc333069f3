//! What operators do: suspend and resume, terminate, skip, retry with another request.

use serde_json::{Value, json};

use super::definitions::awaiting;
use super::dialogue::{Dialogue, given, reply_to};
use super::program::{Part, block, comp, parallel, pivot, program, retriable, timed};
use crate::effect::{Effect, Note};
use crate::id::CommandId;
use crate::input::{Act, Kind, Signal};
use crate::instance::{IncidentKind, Status, Wake};
use crate::ir::Directive;
use crate::transition::Reason;

fn begin(parts: Vec<Part>) -> Dialogue {
    given(program(parts)).event()
}

fn skip(outcome: Option<&str>) -> Act {
    Act::Skip {
        outcome: outcome.map(str::to_owned),
        output: json!({ "by": "hand" }),
    }
}

fn retry_with(input: Value) -> Act {
    Act::RetryWith { input }
}

fn terminate() -> Act {
    Act::Terminate {
        reason: "enough".to_owned(),
    }
}

fn signal(id: &str, act: Act) -> Kind {
    Kind::Signal(Signal {
        id: id.to_owned(),
        actor: "anna".to_owned(),
        if_revision: None,
        act,
    })
}

fn parked() -> Dialogue {
    begin(vec![
        comp("a").catch("refused", Directive::Park),
        comp("last"),
    ])
    .expect_command("a")
    .reply_refused()
    .expect_parked(IncidentKind::Declared)
}

#[test]
fn a_suspended_saga_keeps_everything_and_goes_on_in_order() {
    let fork = parallel(
        "fork",
        None,
        vec![vec![comp("a")], vec![comp("b"), comp("b2")]],
    );
    begin(vec![fork, comp("last")])
        .expect_command("a")
        .expect_command("b")
        .act(Act::Suspend)
        .expect_status(Status::Suspended)
        .act(Act::Suspend)
        .expect_ignored(Reason::Duplicate)
        .reply_of("b", "ok")
        .reply_of("a", "ok")
        .expect_no_command()
        .act(Act::Resume)
        .expect_command("b2")
        .reply_ok()
        .expect_command("last");
}

#[test]
fn a_suspended_saga_evaluates_its_timers_once_when_it_is_resumed() {
    begin(vec![comp("a")])
        .expect_command("a")
        .act(Act::Suspend)
        .later(1_000_000)
        .act(Act::Resume)
        .expect_attempt("a", 2)
        .expect_no_command();
}

#[test]
fn d6_a_suspended_saga_does_not_keep_what_belongs_to_nothing() {
    begin(vec![comp("a")])
        .act(Act::Suspend)
        .reply_of("nobody", "ok")
        .expect_orphan()
        .reply_of("a#7", "ok")
        .expect_orphan()
        .act(Act::Resume)
        .reply_of("a", "ok")
        .expect_status(Status::Completed);
}

#[test]
fn c6_a_suspended_saga_refuses_other_acts_with_a_reason() {
    let suspended = || begin(vec![comp("a")]).act(Act::Suspend);
    suspended().cancel().expect_rejected("resume it first");
    suspended().retry().expect_rejected("resume it first");
    suspended()
        .act(skip(None))
        .expect_rejected("resume it first");
    begin(vec![comp("a")])
        .act(Act::Resume)
        .expect_rejected("it is running");
}

#[test]
fn a_parked_saga_may_be_suspended_and_is_parked_again() {
    parked()
        .act(Act::Suspend)
        .expect_status(Status::Suspended)
        .act(Act::Resume)
        .expect_parked(IncidentKind::Declared)
        .retry()
        .expect_command("a#2");
}

#[test]
fn g3_a_refused_output_of_a_resume_parks_and_a_cancel_leads_out() {
    let mut dialogue = begin(vec![comp("first"), comp("a")])
        .expect_command("first")
        .reply_ok()
        .expect_command("a")
        .act(Act::Suspend)
        .reply_ok();
    dialogue.refuse_output(signal("R", Act::Resume));
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .cancel()
        .expect_status(Status::Compensating)
        .expect_command("a!c")
        .reply_ok()
        .expect_command("first!c")
        .reply_ok()
        .expect_compensated();
}

#[test]
fn g3_a_refused_output_of_a_resume_keeps_the_first_incident() {
    let mut dialogue = parked().act(Act::Suspend);
    dialogue.refuse_output(signal("R", Act::Resume));
    dialogue
        .expect_parked(IncidentKind::Declared)
        .expect_detail("retry failed")
        .retry()
        .expect_command("a#2")
        .reply_ok()
        .expect_command("last");
}

#[test]
fn g3_a_suspension_that_is_applied_again_stops_the_queue() {
    let mut dialogue = begin(vec![comp("a"), comp("b")]).expect_command("a");
    dialogue.refuse_output(signal("S", Act::Suspend));
    dialogue
        .expect_parked(IncidentKind::OutputRefused)
        .reply_of("a", "ok")
        .retry()
        .expect_status(Status::Suspended)
        .expect_no_command()
        .act(Act::Resume)
        .expect_command("b");
}

#[test]
pub fn c6_terminate_leaves_what_is_owed_until_an_operator_settles_it() {
    let ended = begin(vec![comp("a"), comp("b")])
        .reply_of("a", "ok")
        .act(terminate())
        .expect_status(Status::Terminated);
    assert_eq!(
        ended.here().open_obligations().len(),
        2,
        "b may have its effect"
    );
    assert_eq!(ended.here().wake, Wake::Never);
    let settled = ended
        .reply_of("b", "ok")
        .expect_ignored(Reason::Late)
        .act(terminate())
        .expect_changed();
    assert!(!settled.here().compensation_incomplete());
    let mut gone = settled
        .act(terminate())
        .expect_rejected("it is terminated")
        .silence();
    assert_eq!(gone.instance.take(), None);
}

#[test]
pub fn c6_terminate_counts_what_branches_and_catch_hold() {
    let tried = comp("a")
        .attempts(1)
        .catch_do("timeout", vec![comp("tell")], Directive::Retry);
    let fork = parallel("fork", None, vec![vec![tried], vec![comp("b"), comp("b2")]]);
    let ended = begin(vec![fork])
        .reply_of("b", "ok")
        .silence()
        .then(|mut d| {
            d.commands.clear();
            d
        })
        .act(terminate())
        .expect_status(Status::Terminated);
    // a is held, tell and b2 in flight, b done.
    assert_eq!(ended.here().open_obligations().len(), 4);
    let answered = begin(vec![comp("a").attempts(1).catch_do(
        "timeout",
        vec![comp("tell")],
        Directive::Retry,
    )])
    .silence()
    .reply_of("a", "refused")
    .act(terminate());
    assert_eq!(answered.here().open_obligations().len(), 1, "only tell");
}

#[test]
fn c6_terminate_works_in_every_live_status_and_is_said_once() {
    let finished = |note: &Note| matches!(note, Note::Finished { .. });
    parked().act(terminate()).expect_note(finished);
    begin(vec![comp("a")])
        .act(Act::Suspend)
        .act(terminate())
        .expect_note(finished)
        .act(Act::Resume)
        .expect_rejected("it is terminated");
    begin(vec![comp("a"), comp("b")])
        .reply_of("a", "ok")
        .reply_of("b", "refused")
        .act(terminate())
        .expect_note(finished);
    let done = begin(vec![comp("a")]).reply_of("a", "ok");
    done.act(terminate()).expect_rejected("it is completed");
}

#[test]
fn c6_terminate_after_the_end_does_not_count_the_end_again() {
    let watched = comp("a").attempts(1).catch("any", Directive::Continue);
    let dialogue = begin(vec![watched])
        .expect_command("a")
        .silence()
        .expect_status(Status::Completed)
        .reply_of("a", "ok")
        .expect_command("a!c")
        .reply_refused()
        .expect_parked(IncidentKind::CompensationRefused)
        .act(terminate())
        .expect_status(Status::Terminated);
    let ended = |e: &Effect| matches!(e, Effect::Note(Note::Finished { .. }));
    assert!(!dialogue.effects.iter().any(ended));
}

#[test]
fn c6_terminate_keeps_nothing_from_an_operator_by_a_fault() {
    let strange = comp("a").but(|node| {
        if let crate::ir::Kind::Send(send) = &mut node.kind
            && let crate::ir::Compensation::Command(counter) = &mut send.compensation
        {
            counter.payload = Some(super::definitions::path("order.nothing.here"));
        }
    });
    begin(vec![strange])
        .expect_command("a")
        .reply_ok()
        .expect_parked(IncidentKind::ExpressionFault)
        .act(terminate())
        .expect_status(Status::Terminated);
}

#[test]
fn terminate_lets_go_of_what_was_kept() {
    let parts = vec![
        comp("a").catch("refused", Directive::Park),
        awaiting("event", "Came").into(),
    ];
    let ended = begin(parts)
        .awaited("Came", "E-1")
        .reply_of("a", "refused")
        .awaited("Came", "E-2")
        .act(terminate());
    let orphan = |e: &&Effect| matches!(e, Effect::Orphan { early: Some(_), .. });
    assert_eq!(ended.effects.iter().filter(orphan).count(), 2);
}

#[test]
fn skip_decides_a_refused_step() {
    parked()
        .act(skip(None))
        .expect_command("last")
        .reply_refused()
        .expect_no_command()
        .expect_compensated();
    parked()
        .act(skip(Some("refused")))
        .expect_parked(IncidentKind::Declared);
    parked()
        .act(skip(Some("nonsense")))
        .expect_rejected("no outcome of a: ok, refused, declined");
}

#[test]
fn skip_decides_an_unknown_pivot_in_either_direction() {
    let unknown = || {
        begin(vec![comp("a"), pivot("pay").attempts(1), retriable("ship")])
            .reply_of("a", "ok")
            .silence()
            .expect_parked(IncidentKind::UnknownPivot)
            .expect_command("a")
            .expect_command("pay")
    };
    unknown().act(skip(None)).expect_command("ship");
    unknown().act(skip(Some("refused"))).expect_command("a!c");
}

#[test]
fn skip_settles_a_refused_compensation() {
    begin(vec![comp("a"), comp("b")])
        .reply_of("a", "ok")
        .reply_of("b", "refused")
        .reply_of("a!c", "refused")
        .expect_parked(IncidentKind::CompensationRefused)
        .act(skip(None))
        .expect_status(Status::Compensated);
}

#[test]
fn skip_and_retry_with_need_something_to_decide() {
    begin(vec![comp("a")])
        .act(skip(None))
        .expect_rejected("no step of it waits");
    begin(vec![comp("a")])
        .act(retry_with(json!(1)))
        .expect_rejected("no step of it waits");
    let inner = timed("block", 1_000, vec![comp("a")]).catch("timeout", Directive::Park);
    begin(vec![inner])
        .silence()
        .act(skip(None))
        .expect_rejected("no step of it waits");
    let done = begin(vec![comp("a").catch("ok", Directive::Park)]).reply_of("a", "ok");
    done.act(retry_with(json!(1)))
        .expect_rejected("no step of it waits");
}

#[test]
fn retry_with_executes_a_refused_step_with_another_request() {
    parked()
        .act(retry_with(json!({ "total": 5 })))
        .expect_command("a#2")
        .expect_payload(json!({ "total": 5 }))
        .reply_ok()
        .expect_command("last")
        .reply_refused()
        .expect_command("a#2!c");
}

#[test]
fn retry_with_is_refused_where_an_effect_may_exist() {
    begin(vec![comp("a").attempts(1).catch("any", Directive::Park)])
        .silence()
        .expect_parked(IncidentKind::Declared)
        .act(retry_with(json!(1)))
        .expect_rejected("could have a second effect");
    let wait = crate::transition::tests::program::Part::from(awaiting("event", "Came"));
    begin(vec![wait.catch("timeout", Directive::Park)])
        .silence()
        .act(retry_with(json!(1)))
        .expect_rejected("sends no command");
}

#[test]
fn skip_and_retry_of_a_parked_structure() {
    let inner = || {
        let wait = Part::from(awaiting("event", "Came")).catch("timeout", Directive::Park);
        block("block", vec![wait])
    };
    let stuck = || {
        begin(vec![inner(), comp("last")])
            .silence()
            .expect_parked(IncidentKind::Declared)
    };
    stuck().act(skip(None)).expect_command("last");
    stuck()
        .retry()
        .expect_status(Status::Running)
        .awaited("Came", "E")
        .expect_command("last");
}

#[test]
fn h1_a_retry_beyond_the_bound_of_executions_gets_new_numbers() {
    let inner = block("block", vec![comp("a")]).catch("compensated", Directive::Retry);
    let mut dialogue = begin(vec![inner]);
    for number in 1..=100 {
        let suffix = if number > 1 {
            format!("#{number}")
        } else {
            String::new()
        };
        dialogue = dialogue
            .expect_command(&format!("a{suffix}"))
            .reply_refused();
    }
    dialogue
        .expect_parked(IncidentKind::RetriesExhausted)
        .retry()
        .expect_command("a#101")
        .reply_refused()
        .expect_parked(IncidentKind::RetriesExhausted)
        .retry()
        .expect_command("a#102")
        .reply_ok()
        .expect_completed();
}

#[test]
pub fn d3_duplicates_of_every_input_are_facts() {
    let id = CommandId::parse("order/ORD-42/a").unwrap();
    let inputs = [
        Kind::Reply(reply_to(id, "ok")),
        signal("S", Act::Suspend),
        signal("R", Act::Resume),
    ];
    let mut dialogue = begin(vec![comp("a"), comp("b")]);
    for kind in inputs {
        dialogue.input(kind.clone());
        dialogue = dialogue.expect_changed();
        dialogue.input(kind);
        assert!(matches!(
            dialogue.applied,
            crate::transition::Applied::Ignored(_)
        ));
    }
    dialogue.event().expect_ignored(Reason::Duplicate);
}

#[test]
fn d6_a_trigger_that_faults_lets_go_of_its_early_events_when_it_is_cancelled() {
    let mut definition = program(vec![awaiting("event", "Came").into()]);
    definition.data[0].init = super::definitions::path("order.nothing.here");
    let ended = given(definition)
        .awaited("Came", "E-1")
        .event()
        .expect_parked(IncidentKind::ExpressionFault)
        .awaited("Came", "E-2")
        .expect_changed()
        .retry()
        .expect_parked(IncidentKind::ExpressionFault)
        .cancel()
        .expect_compensated();
    let orphan = |e: &&Effect| matches!(e, Effect::Orphan { early: Some(_), .. });
    assert_eq!(ended.effects.iter().filter(orphan).count(), 2);
}

#[test]
fn d6_an_event_that_cannot_be_kept_by_a_parked_saga_is_a_dead_letter() {
    let parts = vec![
        comp("a").catch("refused", Directive::Park),
        awaiting("event", "Came").into(),
    ];
    let mut dialogue = begin(parts).reply_of("a", "refused");
    dialogue.refuse_output(Kind::Awaited(crate::input::Awaited {
        key: "ORD-42".to_owned(),
        topic: "logistics".to_owned(),
        r#type: Some("Came".to_owned()),
        event: "E".to_owned(),
        payload: Value::Null,
    }));
    dialogue
        .expect_parked(IncidentKind::Declared)
        .expect_dead_letter("output_refused");
}
