//! Flags that every command has that changes something: who acts, and why.
//!
//! Absent on purpose: proof. Whoever may write to the topics may say any name.

use clap::builder::NonEmptyStringValueParser;

use crate::client::audit::Operator;
use crate::config::resolve;

/// Who acts, and why.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OperatorArgs {
    /// Who acts, for history and audit; by default user and host.
    #[arg(long, value_name = "NAME", env = "SKALD_ACTOR", hide_env_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub actor: Option<String>,
    /// Why, for history and audit.
    #[arg(long, value_name = "TEXT", alias = "reason")]
    pub why: Option<String>,
}

impl OperatorArgs {
    /// The operator; without a name it is `user@host`, as far as the machine tells them.
    pub fn operator(&self) -> Operator {
        Operator {
            actor: self.actor.clone().unwrap_or_else(user),
            why: self.why.clone(),
        }
    }
}

fn user() -> String {
    let set = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME"));
    let user = user.unwrap_or_else(|| "unknown".into());
    match resolve::host_name() {
        Ok(host) => format!("{user}@{host}"),
        Err(_) => user,
    }
}
