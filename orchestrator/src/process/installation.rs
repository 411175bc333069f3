//! The installation record: an id and the number of lanes, written once.
//!
//! Absent on purpose: changing either; keys would be remapped.

use connectors::log::Log;
use schemas::bundle::{self, Installation};
use schemas::topics::Topics;

use super::Error;
use crate::client::deploy;

/// The installation, written if there is none. `log` runs under the deployer's transactional id.
///
/// # Errors
/// [`Error::Lanes`] and the log's.
pub fn installation<L: Log>(
    log: &mut L,
    names: &Topics,
    lanes: u32,
) -> Result<Installation, Error> {
    let known = deploy::read_to_end(log, names)?.snapshot();
    if let Some(installation) = &known.installation {
        if installation.lanes != lanes {
            return Err(Error::Lanes {
                actual: installation.lanes,
                asked: lanes,
            });
        }
        return Ok(installation.clone());
    }
    let installation = Installation {
        uuid: uuid::Uuid::new_v4().to_string(),
        lanes,
    };
    deploy::write(log, &[bundle::encode_installation(names, &installation)])?;
    Ok(installation)
}
