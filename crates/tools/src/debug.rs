//! `debug`: what a server says about itself, in one archive.

use std::fs::File;
use std::io::{self, Write};

use flags::Flags;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::command::{Action, Command, Context, Failure, Usage, say};
use crate::http::Server;

pub const COMMAND: Command = Command {
    name: "debug",
    about: "Fetch debug information",
    action: Action::Group(&[
        Command { name: "pprof", about: "Fetch profiling debug information", action: Action::Run(&PPROF) },
        Command { name: "metrics", about: "Fetch metrics debug information", action: Action::Run(&METRICS) },
        Command { name: "all", about: "Fetch all debug information", action: Action::Run(&ALL) },
    ]),
};

const METRICS: Usage = Usage {
    arguments: "<server>",
    count: (1, 1),
    flags: &[],
    help: "\
Writes debug.tar.gz with the server's metrics page.

Example:
  cloudos-monitor debug metrics http://localhost:9090
",
    run: |_, args, _| collect(args, PAGES),
};

const ALL: Usage = Usage {
    arguments: "<server>",
    count: (1, 1),
    flags: &[],
    help: "\
Writes debug.tar.gz with the server's metrics page, its runtime and build, flags, configuration and database
statistics. There are no profiles of Go's runtime here, since there is no such runtime.

Example:
  cloudos-monitor debug all http://localhost:9090
",
    run: |_, args, _| collect(args, ALL_PAGES),
};

const PPROF: Usage = Usage {
    arguments: "<server>",
    count: (1, 1),
    flags: &[],
    help: "Not available: profiles of the kind pprof reads come from Go's runtime.\n",
    run: |_: &Flags, _: &[String], _: &Context| {
        Err(Failure::new(
            "error: debug pprof is not supported: this server has no Go runtime to profile; \
             `debug metrics` and `debug all` fetch what there is",
        ))
    },
};

/// Where the archive is written.
const ARCHIVE: &str = "debug.tar.gz";

/// Paths of a server and the files they become.
const PAGES: &[(&str, &str)] = &[("/metrics", "metrics.txt")];

const ALL_PAGES: &[(&str, &str)] = &[
    ("/metrics", "metrics.txt"),
    ("/api/v1/status/buildinfo", "buildinfo.json"),
    ("/api/v1/status/runtimeinfo", "runtimeinfo.json"),
    ("/api/v1/status/flags", "flags.json"),
    ("/api/v1/status/config", "config.json"),
    ("/api/v1/status/tsdb", "tsdb.json"),
];

fn collect(args: &[String], pages: &[(&str, &str)]) -> Result<(), Failure> {
    let failed = |e: String| Failure::new(format!("error completing debug command: {e}"));
    let server = Server::new(args.first().map_or("", String::as_str), "")?;
    let file = File::create(ARCHIVE).map_err(|e| failed(format!("error creating a new archiver: {e}")))?;
    let mut archive = GzEncoder::new(file, Compression::default());
    for (path, name) in pages {
        say(&format!("collecting: {}{path}\n", server.url()))?;
        let answer = server.get(path, &[]);
        let answer = answer.map_err(|e| failed(format!("error executing HTTP request: {}", e.message)))?;
        entry(&mut archive, name, answer.body.as_bytes())
            .map_err(|e| failed(format!("error writing into the archive: {e}")))?;
    }
    let ended = archive.write_all(&[0; 2 * BLOCK]).and_then(|()| archive.finish());
    ended.map_err(|e| failed(format!("error closing archive writer: {e}")))?;
    say(&format!("Compiling debug information complete, all files written in {ARCHIVE:?}.\n"))
}

const BLOCK: usize = 512;

/// Appends a file to a tar stream: a header of one block, the bytes, zeros up to the next block.
///
/// ```text
/// 0 name 100 │ mode 8 │ uid 8 │ gid 8 │ size 12 │ mtime 12 │ checksum 8 │ type 1 │ … │ 257 "ustar\0" "00" │ … 512
/// ```
fn entry(out: &mut impl Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = [0u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        header.iter_mut().skip(at).zip(text.bytes()).for_each(|(to, from)| *to = from);
    };
    let time = jiff::Timestamp::now().as_second();
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", bytes.len()));
    put(136, &format!("{time:011o}\0"));
    // The sum is taken with spaces in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    let sum = format!("{sum:06o}\0 ");
    header.iter_mut().skip(148).zip(sum.bytes()).for_each(|(to, from)| *to = from);
    out.write_all(&header)?;
    out.write_all(bytes)?;
    out.write_all(&[0; BLOCK][..(BLOCK - bytes.len() % BLOCK) % BLOCK])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fills_whole_blocks_and_knows_its_sum() {
        for (size, blocks) in [(0, 1), (1, 2), (512, 2), (513, 3)] {
            let mut out = Vec::new();
            entry(&mut out, "a.txt", &vec![b'x'; size]).unwrap();
            assert_eq!(out.len(), blocks * BLOCK, "{size}");
            let sum = u32::from_str_radix(std::str::from_utf8(&out[148..154]).unwrap(), 8).unwrap();
            let mut header = out[..BLOCK].to_vec();
            header[148..156].fill(b' ');
            assert_eq!(sum, header.iter().map(|b| u32::from(*b)).sum::<u32>());
        }
    }
}
