//! Prometheus' remote protocols: write 1.0 (`prometheus.WriteRequest`) and 2.0
//! (`io.prometheus.write.v2.Request`), and read. Bodies are one raw snappy block.

pub mod histogram;
pub mod put;
pub mod read;
mod row;
pub mod snappy;
pub mod v1;
pub mod v2;

pub use row::{Point, Row};
