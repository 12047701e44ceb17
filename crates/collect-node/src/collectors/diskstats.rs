//! `/proc/diskstats`: what block devices did, and what udev knows about them.

use super::Scrape;
use super::udev::Properties;
use crate::failure::{Failure, Outcome};
use crate::read::{line, number};

/// The kernel counts in sectors of 512 bytes whatever the device's own size is.
const SECTOR_BYTES: f64 = 512.0;
const SECONDS_PER_MS: f64 = 0.001;

struct Field {
    name: &'static str,
    help: &'static str,
    factor: f64,
}

const fn field(name: &'static str, help: &'static str, factor: f64) -> Field {
    Field { name, help, factor }
}

/// In the order of the columns after major, minor and name. Kernels before 4.18 end after the eleventh,
/// before 5.5 after the fifteenth.
const FIELDS: &[Field] = &[
    field("node_disk_reads_completed_total", "The total number of reads completed successfully.", 1.0),
    field("node_disk_reads_merged_total", "The total number of reads merged.", 1.0),
    field("node_disk_read_bytes_total", "The total number of bytes read successfully.", SECTOR_BYTES),
    field(
        "node_disk_read_time_seconds_total",
        "The total number of seconds spent by all reads.",
        SECONDS_PER_MS,
    ),
    field("node_disk_writes_completed_total", "The total number of writes completed successfully.", 1.0),
    field("node_disk_writes_merged_total", "The number of writes merged.", 1.0),
    field("node_disk_written_bytes_total", "The total number of bytes written successfully.", SECTOR_BYTES),
    field(
        "node_disk_write_time_seconds_total",
        "This is the total number of seconds spent by all writes.",
        SECONDS_PER_MS,
    ),
    field("node_disk_io_now", "The number of I/Os currently in progress.", 1.0),
    field("node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.", SECONDS_PER_MS),
    field(
        "node_disk_io_time_weighted_seconds_total",
        "The weighted # of seconds spent doing I/Os.",
        SECONDS_PER_MS,
    ),
    field("node_disk_discards_completed_total", "The total number of discards completed successfully.", 1.0),
    field("node_disk_discards_merged_total", "The total number of discards merged.", 1.0),
    field("node_disk_discarded_sectors_total", "The total number of sectors discarded successfully.", 1.0),
    field(
        "node_disk_discard_time_seconds_total",
        "This is the total number of seconds spent by all discards.",
        SECONDS_PER_MS,
    ),
    field("node_disk_flush_requests_total", "The total number of flush requests completed successfully", 1.0),
    field(
        "node_disk_flush_requests_time_seconds_total",
        "This is the total number of seconds spent by all flush requests.",
        SECONDS_PER_MS,
    ),
];

pub fn update(s: &mut Scrape) -> Outcome {
    let path = s.settings.paths.proc("diskstats");
    let text = s.reader.text(&path)?;
    for row in text.lines() {
        let mut columns = row.split_ascii_whitespace();
        let (Some(major), Some(minor), Some(device)) = (columns.next(), columns.next(), columns.next())
        else {
            return Err(Failure::broken(format!("invalid line {row:?} in {}", path.display())));
        };
        if s.settings.disk_devices.ignores(device) {
            continue;
        }
        for (field, column) in FIELDS.iter().zip(columns) {
            let value = number(column, "diskstats")? * field.factor;
            let labels = [("device", device)];
            if field.name.ends_with("_total") {
                s.out.counter(field.name, field.help, &labels, value);
            } else {
                s.out.gauge(field.name, field.help, &labels, value);
            }
        }
        let udev = Properties::read(&s.settings.paths.udev, major, minor);
        let queue = s.settings.paths.sys("block").join(device).join("queue/rotational");
        let rotational = line(&queue).unwrap_or_else(|| "0".to_owned());
        let serial = ["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"].map(|key| udev.get(key));
        let serial = serial.into_iter().find(|s| !s.is_empty()).unwrap_or("");
        let labels = [
            ("device", device),
            ("major", major),
            ("minor", minor),
            ("path", udev.get("ID_PATH")),
            ("wwn", udev.get("ID_WWN")),
            ("model", udev.get("ID_MODEL")),
            ("serial", serial),
            ("revision", udev.get("ID_REVISION")),
            ("rotational", &rotational),
        ];
        s.out.gauge("node_disk_info", "Info of /sys/block/<block_device>.", &labels, 1.0);
        udev_info(s.out, device, &udev);
    }
    Ok(())
}

fn udev_info(out: &mut crate::sink::Sink, device: &str, udev: &Properties) {
    if !udev.get("ID_FS_TYPE").is_empty() {
        let labels = [
            ("device", device),
            ("type", udev.get("ID_FS_TYPE")),
            ("usage", udev.get("ID_FS_USAGE")),
            ("uuid", udev.get("ID_FS_UUID")),
            ("version", udev.get("ID_FS_VERSION")),
        ];
        out.gauge("node_disk_filesystem_info", "Info about disk filesystem.", &labels, 1.0);
    }
    if !udev.get("DM_NAME").is_empty() {
        let labels = [
            ("device", device),
            ("name", udev.get("DM_NAME")),
            ("uuid", udev.get("DM_UUID")),
            ("vg_name", udev.get("DM_VG_NAME")),
            ("lv_name", udev.get("DM_LV_NAME")),
            ("lv_layer", udev.get("DM_LV_LAYER")),
        ];
        out.gauge("node_disk_device_mapper_info", "Info about disk device mapper.", &labels, 1.0);
    }
    if udev.get("ID_ATA").is_empty() {
        return;
    }
    for (property, name, help) in [
        ("ID_ATA_WRITE_CACHE", "node_disk_ata_write_cache", "ATA disk has a write cache."),
        (
            "ID_ATA_WRITE_CACHE_ENABLED",
            "node_disk_ata_write_cache_enabled",
            "ATA disk has its write cache enabled.",
        ),
        (
            "ID_ATA_ROTATION_RATE_RPM",
            "node_disk_ata_rotation_rate_rpm",
            "ATA disk rotation rate in RPMs (0 for SSDs).",
        ),
    ] {
        if let Ok(value) = udev.get(property).parse() {
            out.gauge(name, help, &[("device", device)], value);
        }
    }
}
