//! Re-sends ahead: what the engine may delay, and until when.

use crate::effect::{Effect, Note};
use crate::input::{Input, Kind};
use crate::instance::{Instance, Wake};
use crate::ir::{Deadline, Definition, Directive};
use crate::transition::{Resend, apply, resend};

use super::definitions::{booking, compensatable, definition, delivery, order, step, with};
use super::dialogue::{Dialogue, T0, given};

/// The law, on every state that a test visits: what is called a re-send does nothing else, when it comes due and as late as it may come.
pub fn check(definition: &Definition, instance: &Option<Instance>) {
    let Some((before, ahead)) = instance
        .as_ref()
        .and_then(|i| Some((i, resend(definition, i)?)))
    else {
        return;
    };
    let Wake::At(wake) = before.wake else {
        panic!("no wake-up: {before:?}");
    };
    let last = ahead
        .until_ms
        .map_or(wake + 1_000_000_000, |until| until - 1);
    assert!(last >= wake, "{ahead:?}");
    check_at(definition, before, ahead, wake);
    check_at(definition, before, ahead, last);
}

fn check_at(definition: &Definition, before: &Instance, ahead: Resend<'_>, time_ms: i64) {
    let input = Input {
        id: "probe".to_owned(),
        time_ms,
        kind: Kind::TimerFired { arm: before.arm },
    };
    let (mut after, mut effects) = (Some(before.clone()), Vec::new());
    apply(definition, &mut after, &input, &mut effects);
    let mut commands = 0;
    for effect in &effects {
        match effect {
            Effect::Command(command) => {
                assert_eq!(command.topic, ahead.target);
                assert!(command.attempt > 1, "{command:?}");
                commands += 1;
            }
            Effect::Note(Note::Resent { .. }) => {}
            other => panic!("{ahead:?} led to {other:?} at {time_ms}: {before:?}"),
        }
    }
    assert!((1..=ahead.commands).contains(&commands), "{ahead:?}");
    assert_eq!(after.map(|i| i.status), Some(before.status));
}

fn ahead(dialogue: &Dialogue) -> Option<Resend<'_>> {
    resend(&dialogue.definition, dialogue.here())
}

fn to(target: &str, until_ms: Option<i64>) -> Option<Resend<'_>> {
    Some(Resend {
        target,
        commands: 1,
        until_ms,
    })
}

#[test]
fn a_timeout_that_sends_again_names_its_target() {
    let dialogue = given(order()).event();
    assert_eq!(ahead(&dialogue), to("credit.commands", None));
}

#[test]
fn the_end_of_a_back_off_names_its_target() {
    let dialogue = given(order())
        .event()
        .expect_command("credit")
        .reply_failed();
    assert_eq!(ahead(&dialogue), to("credit.commands", None));
}

#[test]
fn the_end_of_a_ladder_may_not_wait() {
    let last = given(order()).event().silence().silence();
    assert_eq!(ahead(&last), None);
    let never = with(compensatable("credit"), |send| {
        send.retry.after_timeout = false;
    });
    assert_eq!(ahead(&given(definition(vec![never])).event()), None);
}

#[test]
fn a_re_send_may_wait_until_its_ladder_has_no_time_left() {
    let bounded = with(compensatable("credit"), |send| {
        send.retry.within_ms = Some(45_000);
    });
    let dialogue = given(definition(vec![bounded])).event();
    let until = dialogue.now + 45_001;
    assert_eq!(ahead(&dialogue), to("credit.commands", Some(until)));
}

#[test]
fn a_re_send_may_wait_until_the_deadline_or_its_warning() {
    let mut bounded = order();
    bounded.deadline = Some(Deadline {
        after_ms: 90_000,
        then: Directive::Compensate,
        warn_ms: Some(60_000),
    });
    let dialogue = given(bounded).event();
    let until = dialogue.now + 60_000;
    assert_eq!(ahead(&dialogue), to("credit.commands", Some(until)));
    // The warning's own wake-up is no re-send, whatever else is due then.
    let dialogue = dialogue.silence().later(1);
    assert_eq!(dialogue.due(), until);
    assert_eq!(ahead(&dialogue), None);
}

#[test]
fn a_re_send_may_wait_until_its_service_level_is_missed() {
    let mut slow = compensatable("credit");
    slow.sla_ms = Some(40_000);
    let dialogue = given(definition(vec![slow])).event();
    let until = dialogue.now + 40_000;
    assert_eq!(ahead(&dialogue), to("credit.commands", Some(until)));
}

#[test]
fn what_is_due_together_with_a_re_send_does_not_wait() {
    let mut slow = compensatable("credit");
    slow.sla_ms = Some(30_000);
    assert_eq!(ahead(&given(definition(vec![slow])).event()), None);
}

#[test]
fn a_wait_is_no_re_send() {
    let waiting = given(delivery())
        .event()
        .expect_command("credit")
        .reply_ok();
    assert_eq!(ahead(&waiting), None);
}

#[test]
fn a_compensation_is_sent_again_after_its_back_off() {
    let sent = given(booking())
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_command("stock")
        .reply_refused()
        .expect_command("credit!c");
    assert_eq!(ahead(&sent), None, "the timeout is noted first");
    let missed = sent.silence();
    assert_eq!(ahead(&missed), to("credit.commands", None));
}

#[test]
fn what_waits_for_an_operator_or_is_finished_sends_nothing_again() {
    let parked = given(definition(vec![with(
        step("ship", crate::ir::StepKind::Retriable),
        |send| send.retry.max = Some(1),
    )]));
    let parked = parked.event().silence();
    assert_eq!(parked.here().wake, Wake::Never);
    assert_eq!(ahead(&parked), None);
    let finished = given(definition(vec![compensatable("credit")]))
        .event()
        .expect_command("credit")
        .reply_ok()
        .expect_completed();
    assert!(finished.now > T0);
    assert_eq!(ahead(&finished), None);
}
