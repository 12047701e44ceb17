//! One file per resource; each handler reads its request, calls the engine and renders.

pub mod alerts;
pub mod body;
pub mod manage;
pub mod own;
mod posted;
pub mod query;
pub mod silences;
pub mod status;
