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
        let flags = own.into_iter().chain(further).flatten().collect();
        let loaded = config::load(&Sources::of_process(self.config.clone(), flags))?;
        for warning in loaded.warnings {
            console.talk(&format!("warning: {warning}"));
        }
        Ok(loaded.settings)
    }
}
