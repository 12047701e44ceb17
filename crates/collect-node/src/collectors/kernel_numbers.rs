//! Collectors that read a number or two: entropy, file descriptors, hung tasks, SELinux.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::{line, number, number_file};

pub fn entropy(s: &mut Scrape) -> Outcome {
    for (file, name, help) in [
        ("entropy_avail", "node_entropy_available_bits", "Bits of available entropy."),
        ("poolsize", "node_entropy_pool_size_bits", "Bits of entropy pool."),
    ] {
        let path = s.settings.paths.proc("sys/kernel/random").join(file);
        let text = s.reader.text(&path)?;
        let value = number(text.trim(), file)?;
        s.out.gauge(name, help, &[], value);
    }
    Ok(())
}

pub fn filefd(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("sys/fs/file-nr");
    let text = s.reader.text(&path)?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let [allocated, _, maximum] = fields[..] else {
        return Err(Failure::broken(format!("unexpected content in {}", path.display())));
    };
    for (state, value) in [("allocated", allocated), ("maximum", maximum)] {
        let help = format!("File descriptor statistics: {state}.");
        s.out.gauge(&format!("node_filefd_{state}"), &help, &[], number(value, "file-nr")?);
    }
    Ok(())
}

pub fn kernel_hung(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("sys/kernel/hung_task_detect_count");
    let text = s.reader.text(&path)?;
    let value = number(text.trim(), "hung_task_detect_count")?;
    let help = "Total number of tasks that have been detected as hung since the system booted.";
    s.out.counter("node_kernel_hung_tasks_total", help, &[], value);
    Ok(())
}

pub fn selinux(s: &mut Scrape) -> Outcome {
    let enforce = number_file(&s.settings.paths.sys("fs/selinux/enforce"));
    let help = "SELinux is enabled, 1 is true, 0 is false";
    s.out.gauge("node_selinux_enabled", help, &[], f64::from(u8::from(enforce.is_some())));
    let Some(enforce) = enforce else { return Ok(()) };
    let config = line(&s.settings.paths.root("etc/selinux/config")).unwrap_or_default();
    let configured = match config.lines().find_map(|l| l.trim().strip_prefix("SELINUX=")) {
        Some("enforcing") => 1.0,
        Some("permissive") => 0.0,
        _ => -1.0,
    };
    s.out.gauge("node_selinux_config_mode", "Configured SELinux enforcement mode", &[], configured);
    s.out.gauge("node_selinux_current_mode", "Current SELinux enforcement mode", &[], enforce);
    Ok(())
}
