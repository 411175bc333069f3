//! Flags that every command with servers has, and the settings that follow.
//!
//! Absent on purpose: a flag for every key; what is rarely changed by hand stays in the file.

use std::path::PathBuf;

use crate::config::{self, Assignment, Settings, Sources};
use crate::output::Console;

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SettingsArgs {
    /// Configuration file [default: skald.toml, if it is there; also SKALD_CONFIG].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Name of the installation.
    #[arg(long)]
    pub app: Option<String>,
    /// Kafka brokers.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Redis server.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// File with the key to sign inbox records with, `id=secret`.
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
}

impl SettingsArgs {
    /// Reads file, variables and flags; warnings go to stderr.
    ///
    /// # Errors
    /// As [`config::load`].
    pub fn load(
        &self,
        further: Vec<Option<Assignment>>,
        console: &mut Console<'_>,
    ) -> Result<Settings, config::Error> {
        let own = [
            Assignment::flag("app", "--app", self.app.clone()),
            Assignment::flag("kafka.brokers", "--kafka", self.kafka.clone()),
            Assignment::flag("redis.url", "--redis", self.redis.clone()),
        ];
        let own = own.into_iter().chain([self.secrets()?]);
        let flags = own.chain(further).flatten().collect();
        let loaded = config::load(&Sources::of_process(self.config.clone(), flags))?;
        for warning in loaded.warnings {
            console.talk(&format!("warning: {warning}"));
        }
        Ok(loaded.settings)
    }

    /// A file, not a flag: command lines are visible to every process of the machine.
    fn secrets(&self) -> Result<Option<Assignment>, config::Error> {
        let Some(path) = &self.secret_file else {
            return Ok(None);
        };
        let text = std::fs::read_to_string(path).map_err(|e| config::Error::Unreadable {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        Ok(Some(Assignment::secrets("--secret-file", text.trim())))
    }
}
