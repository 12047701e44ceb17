//! The signals between those who append and the store's maintenance thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the maintenance thread, and appends that wait for room.
///
/// A ring is kept until the thread waits the next time, so none is missed; many rings before that are one.
#[derive(Default)]
pub struct Bell {
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

    /// There is work.
    pub fn ring(&self) {
        self.lock().work = true;
        self.rung.notify_all();
    }

    /// The store stops; for good.
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

    /// A flush has ended.
    pub fn room(&self) {
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take: whoever waits it out has missed the bell.
    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_ring_before_the_wait_counts_once() {
        let bell = Bell::default();
        bell.ring();
        bell.ring();
        assert!(bell.wait(NEVER));
        assert!(bell.wait(Duration::ZERO) && !bell.lock().work);
    }

    #[test]
    fn the_thread_works_when_rung_and_ends_when_stopped() {
        let (bell, rounds) = (Bell::default(), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while bell.wait(NEVER) {
                    rounds.wait();
                }
            });
            for _ in 0..3 {
                bell.ring();
                rounds.wait();
            }
            bell.stop();
        });
        assert!(bell.stopped() && !bell.wait(NEVER));
    }

    #[test]
    fn whoever_waits_for_room_is_woken() {
        let (bell, woken) = (Bell::default(), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                bell.wait_for_room(NEVER);
                woken.store(true, std::sync::atomic::Ordering::Release);
            });
            // The waiter may not be there yet, so once may not be enough.
            while !woken.load(std::sync::atomic::Ordering::Acquire) {
                bell.room();
                std::thread::yield_now();
            }
        });
    }
}
