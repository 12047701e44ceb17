//! What the query handlers share.

use std::sync::Arc;

use front::{Host, Pool};
use storage::{StoreError, TraceStore};

use crate::reply::ApiError;

#[derive(Clone)]
pub struct Api {
    pub store: Arc<dyn TraceStore>,
    pub queries: Pool,
    pub host: Host,
}

impl Api {
    /// Runs blocking work on the query pool.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn TraceStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let store = self.store.clone();
        let result = self.queries.run(move || work(&*store)).await;
        result.map_err(|e| ApiError::internal(e.to_string()))?.map_err(|e| ApiError::internal(e.message))
    }
}
