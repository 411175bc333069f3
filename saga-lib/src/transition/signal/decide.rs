//! Deciding: an operator answers for a participant.
//!
//! Absent on purpose: undoing what is known. An outcome that a participant told is not changed, and an effect that may exist is not
//! forgotten: another request goes out only after a refusal.

use serde_json::Value;

use crate::input::Reply;
use crate::instance::{Incident, IncidentKind, ObligationState, Status};
use crate::ir;

use super::super::turn::{Halt, Turn};
use super::super::{Applied, answer, command, compensate, outcome, parked};
use super::rejected;

/// Executes a refused step again with another request.
pub(super) fn retry_with(turn: &mut Turn<'_>, input: &Value) -> Result<Applied, Halt> {
    let Some(at) = at_incident(turn) else {
        return rejected("no step of it waits for a decision");
    };
    let token = turn.instance.tokens[at].clone();
    if !matches!(turn.node(token.node)?.kind, ir::Kind::Send(_)) {
        return rejected("the step it waits at sends no command");
    }
    if token.pending.is_some() {
        return rejected(
            "the step's outcome is unknown: another request could have a second effect; retry it as it is, or decide its outcome (skip)",
        );
    }
    parked::resume(turn);
    turn.instance.tokens.remove(at);
    command::execute(
        turn,
        token.frame,
        token.node,
        token.execution + 1,
        Some(input),
    )?;
    parked::go_on(turn)?;
    Ok(Applied::Changed)
}

/// Decides the outcome of the step that the incident is about, or declares a refused compensation settled.
pub(super) fn skip(
    turn: &mut Turn<'_>,
    outcome: Option<&str>,
    output: &Value,
) -> Result<Applied, Halt> {
    let refused = refused(turn).filter(|_| kind(turn) == Some(IncidentKind::CompensationRefused));
    if let Some(at) = refused {
        parked::resume(turn);
        compensate::settled(turn, at)?;
        parked::go_on(turn)?;
        return Ok(Applied::Changed);
    }
    let Some(at) = at_incident(turn) else {
        return rejected("no step of it waits for a decision; retry or cancel it");
    };
    let token = turn.instance.tokens[at].clone();
    let node = turn.node(token.node)?;
    let ir::Kind::Send(send) = &node.kind else {
        parked::resume(turn);
        turn.instance.tokens.remove(at);
        turn.go(token.frame, node.next);
        parked::go_on(turn)?;
        return Ok(Applied::Changed);
    };
    let known = || send.success.iter().chain(&send.refusal);
    let first = send.success.first().map_or("ok", String::as_str);
    let outcome = outcome.unwrap_or(first);
    if !known().any(|name| name == outcome) {
        let names: Vec<&str> = known().map(String::as_str).collect();
        return rejected(&format!(
            "`{outcome}` is no outcome of {}: {}",
            node.step,
            names.join(", ")
        ));
    }
    let reply = Reply {
        command: command::id(turn, &token)?,
        outcome: outcome.to_owned(),
        r#type: None,
        attempt: None,
        payload: output.clone(),
        code: None,
        reason: Some("decided by an operator".to_owned()),
    };
    parked::resume(turn);
    turn.moment(format!("{}: decided by an operator", node.step));
    match answer::verdict(&**send, outcome) {
        answer::Verdict::Success => outcome::succeeded(turn, at, &reply)?,
        _ => outcome::refused(turn, at, &reply)?,
    }
    parked::go_on(turn)?;
    Ok(Applied::Changed)
}

/// Declares everything settled that a terminated instance owes.
pub(super) fn settle_all(turn: &mut Turn<'_>) -> Result<(), Halt> {
    for at in 0..turn.instance.obligations.len() {
        if turn.instance.obligations[at].state != ObligationState::Confirmed {
            compensate::settled(turn, at)?;
        }
    }
    Ok(())
}

/// The obligation whose compensation was refused.
pub(super) fn refused(turn: &Turn<'_>) -> Option<usize> {
    let refused = |state| state == ObligationState::Refused;
    let mut obligations = turn.instance.obligations.iter();
    obligations.position(|o| refused(o.state))
}

fn kind(turn: &Turn<'_>) -> Option<IncidentKind> {
    let parked = turn.instance.status == Status::Parked;
    let incident: Option<&Incident> = turn.instance.incident.as_ref();
    incident.filter(|_| parked).map(|incident| incident.kind)
}

/// The token that waits for a decision.
fn at_incident(turn: &Turn<'_>) -> Option<usize> {
    let decidable = matches!(
        kind(turn),
        Some(IncidentKind::UnknownPivot | IncidentKind::RetriesExhausted | IncidentKind::Declared)
    );
    parked::asked(turn).filter(|_| decidable)
}
