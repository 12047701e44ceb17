//! The outside world behind small seams: time, randomness, files.
//!
//! Everything that makes a run differ from the next one comes in through this crate, so that tests can
//! replace it: [`ManualClock`] moves when told to, [`Random`] repeats a seed, [`SimDisk`] is a disk in
//! memory that tears writes, forgets what was not synced and fails at the operation of one's choice.
//!
//! Invariant: nothing here knows records, parts or signals.

pub mod clock;
pub mod disk;
pub mod random;
pub mod sim;

pub use clock::{Clock, ManualClock, SystemClock};
pub use disk::{Disk, DiskFile, DiskLock, FileInfo, OsDisk, ReadAt};
pub use random::Random;
pub use sim::{Fault, PowerLoss, SimDisk};
