//! Configuration files good and bad.

mod errors;
mod shown;
