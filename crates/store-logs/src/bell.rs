//! The signals between pushes and the maintenance thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the maintenance thread, and pushes that wait for room.
#[derive(Default)]
pub(crate) struct Bell {
    ringing: Mutex<Ringing>,
    rung: Condvar,
    room: Condvar,
}

#[derive(Default)]
struct Ringing {
    work: bool,
    stop: bool,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, Ringing> {
        self.ringing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ring(&self) {
        self.lock().work = true;
        self.rung.notify_all();
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.rung.notify_all();
    }

    pub fn stopped(&self) -> bool {
        self.lock().stop
    }

    /// Waits for the bell or for `timeout`; false when the store stops.
    pub fn wait(&self, timeout: Duration) -> bool {
        let ringing = self.lock();
        let idle = |ringing: &mut Ringing| !ringing.work && !ringing.stop;
        let waited = self.rung.wait_timeout_while(ringing, timeout, idle);
        let mut ringing = waited.unwrap_or_else(PoisonError::into_inner).0;
        ringing.work = false;
        !ringing.stop
    }

    /// Waits until a flush has ended or for `timeout`.
    pub fn wait_for_room(&self, timeout: Duration) {
        drop(self.room.wait_timeout(self.lock(), timeout).unwrap_or_else(PoisonError::into_inner));
    }

    pub fn room(&self) {
        self.room.notify_all();
    }
}
