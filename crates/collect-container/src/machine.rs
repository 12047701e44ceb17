//! The machine the containers run on.

use crate::{Settings, files};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    pub machine_id: String,
    pub boot_id: String,
    pub system_uuid: String,
    pub cores: usize,
    pub physical_cores: usize,
    pub sockets: usize,
    pub memory_bytes: f64,
    pub swap_bytes: f64,
    pub kernel_version: String,
    pub os_version: String,
}

impl Machine {
    pub fn read(settings: &Settings) -> Machine {
        let first = |paths: &[std::path::PathBuf]| {
            paths.iter().map(|p| files::text(p).trim().to_owned()).find(|t| !t.is_empty()).unwrap_or_default()
        };
        let root = |path: &str| settings.root.join(path);
        let meminfo = files::text(&settings.proc.join("meminfo"));
        let bytes = |key: &str| {
            let line = meminfo.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':')).unwrap_or("");
            let kilobytes = line.split_ascii_whitespace().next().and_then(|f| f.parse::<f64>().ok());
            kilobytes.unwrap_or(0.0) * 1024.0
        };
        let cpuinfo = files::text(&settings.proc.join("cpuinfo"));
        let (cores, physical_cores, sockets) = topology(&cpuinfo);
        let os = files::text(&root("etc/os-release"));
        let pretty = os.lines().find_map(|l| l.strip_prefix("PRETTY_NAME=")).unwrap_or("").trim_matches('"');
        Machine {
            machine_id: first(&[root("etc/machine-id"), root("var/lib/dbus/machine-id")]),
            boot_id: first(&[settings.proc.join("sys/kernel/random/boot_id")]),
            system_uuid: first(&[settings.sys.join("class/dmi/id/product_uuid")]),
            cores,
            physical_cores,
            sockets,
            memory_bytes: bytes("MemTotal"),
            swap_bytes: bytes("SwapTotal"),
            kernel_version: first(&[settings.proc.join("sys/kernel/osrelease")]),
            os_version: pretty.to_owned(),
        }
    }
}

/// Logical CPUs, cores, sockets. Architectures that do not tell cores have one per CPU.
fn topology(cpuinfo: &str) -> (usize, usize, usize) {
    let (mut logical, mut cores, mut sockets) = (0, Vec::new(), Vec::new());
    let mut socket = "";
    for line in cpuinfo.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key.trim() {
            "processor" => logical += 1,
            "physical id" => {
                socket = value.trim();
                if !sockets.contains(&socket) {
                    sockets.push(socket);
                }
            }
            "core id" => {
                let core = (socket, value.trim());
                if !cores.contains(&core) {
                    cores.push(core);
                }
            }
            _ => {}
        }
    }
    let physical = if cores.is_empty() { logical } else { cores.len() };
    (logical, physical, sockets.len().max(usize::from(logical > 0)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn cores_and_sockets() {
        let cpu = |n: u32, socket: u32, core: u32| {
            format!("processor: {n}\nphysical id: {socket}\ncore id: {core}\n\n")
        };
        let two = cpu(0, 0, 0) + &cpu(1, 0, 0) + &cpu(2, 1, 0) + &cpu(3, 1, 1);
        assert_eq!(super::topology(&two), (4, 3, 2));
        assert_eq!(super::topology("processor : 0\n"), (1, 1, 1));
        assert_eq!(super::topology(""), (0, 0, 0));
    }
}
