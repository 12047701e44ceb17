//! The kernel's name and version, by `uname`.

use super::Scrape;
use crate::failure::{Failure, Outcome};

pub fn update(s: &mut Scrape) -> Outcome {
    // SAFETY: an all-zero structure is valid, the call fills it with zero-terminated texts.
    let (code, u) = unsafe {
        let mut u = std::mem::zeroed::<libc::utsname>();
        (libc::uname(&mut u), u)
    };
    if code != 0 {
        return Err(Failure::broken("uname failed"));
    }
    let fields = [
        ("sysname", text(&u.sysname)),
        ("release", text(&u.release)),
        ("version", text(&u.version)),
        ("machine", text(&u.machine)),
        ("nodename", text(&u.nodename)),
        ("domainname", text(&u.domainname)),
    ];
    let labels: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    s.out.gauge(
        "node_uname_info",
        "Labeled system information as provided by the uname system call.",
        &labels,
        1.0,
    );
    Ok(())
}

fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
