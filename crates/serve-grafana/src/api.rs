//! What the handlers share.

use std::sync::Arc;

use front::{Host, Pool};

use crate::auth::{Attempts, Verified};
use crate::catalog::Catalog;
use crate::state::Database;

#[derive(Clone)]
pub struct Api {
    inner: Arc<Shared>,
}

pub struct Shared {
    pub db: Arc<Database>,
    pub catalog: Arc<Catalog>,
    /// Database and file work.
    pub pool: Pool,
    pub client: reqwest::Client,
    pub attempts: Attempts,
    pub verified: Verified,
    /// Whether only this machine can reach the port.
    pub loopback_only: bool,
    pub host: Host,
}

impl Api {
    pub fn new(shared: Shared) -> Api {
        Api { inner: Arc::new(shared) }
    }
}

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.inner
    }
}
