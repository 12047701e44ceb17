//! `/proc/meminfo`: one gauge a line, kilobytes turned into bytes.

use super::Scrape;
use crate::failure::Outcome;
use crate::read::number;

/// The lines the original knows. Newer kernels have more; they are left out so that both agree.
const FIELDS: &[&str] = &[
    "Active",
    "Active(anon)",
    "Active(file)",
    "AnonHugePages",
    "AnonPages",
    "Bounce",
    "Buffers",
    "Cached",
    "CmaFree",
    "CmaTotal",
    "CommitLimit",
    "Committed_AS",
    "DirectMap1G",
    "DirectMap2M",
    "DirectMap4k",
    "Dirty",
    "HardwareCorrupted",
    "HugePages_Free",
    "HugePages_Rsvd",
    "HugePages_Surp",
    "HugePages_Total",
    "Hugepagesize",
    "Inactive",
    "Inactive(anon)",
    "Inactive(file)",
    "KernelStack",
    "Mapped",
    "MemAvailable",
    "MemFree",
    "MemTotal",
    "Mlocked",
    "NFS_Unstable",
    "PageTables",
    "Percpu",
    "SReclaimable",
    "SUnreclaim",
    "Shmem",
    "ShmemHugePages",
    "ShmemPmdMapped",
    "Slab",
    "SwapCached",
    "SwapFree",
    "SwapTotal",
    "Unevictable",
    "VmallocChunk",
    "VmallocTotal",
    "VmallocUsed",
    "Writeback",
    "WritebackTmp",
    "Zswap",
    "Zswapped",
];

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("meminfo");
    let text = s.reader.text(&path)?;
    let (mut name, mut help) = (String::with_capacity(48), String::with_capacity(80));
    for line in text.lines() {
        let Some((field, rest)) = line.split_once(':') else { continue };
        if FIELDS.binary_search(&field).is_err() {
            continue;
        }
        let mut rest = rest.split_ascii_whitespace();
        let value = number(rest.next().unwrap_or(""), "meminfo")?;
        let kilobytes = rest.next() == Some("kB");
        name.clear();
        name.push_str("node_memory_");
        // Active(anon) becomes Active_anon.
        name.extend(field.chars().filter(|c| *c != ')').map(|c| if c == '(' { '_' } else { c }));
        if kilobytes {
            name.push_str("_bytes");
        }
        help.clear();
        help.push_str("Memory information field ");
        help.push_str(&name["node_memory_".len()..]);
        help.push('.');
        s.out.gauge(&name, &help, &[], if kilobytes { value * 1024.0 } else { value });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_field_table_is_sorted() {
        assert!(super::FIELDS.is_sorted());
    }
}
