//! `/sys/class/dmi/id`: what the firmware says about the machine.

use super::Scrape;
use crate::failure::{Failure, Outcome};
use crate::read::line;

const FIELDS: &[&str] = &[
    "bios_date",
    "bios_release",
    "bios_vendor",
    "bios_version",
    "board_asset_tag",
    "board_name",
    "board_serial",
    "board_vendor",
    "board_version",
    "chassis_asset_tag",
    "chassis_serial",
    "chassis_vendor",
    "chassis_version",
    "product_family",
    "product_name",
    "product_serial",
    "product_sku",
    "product_uuid",
    "product_version",
    "sys_vendor",
];

const HELP: &str = "A metric with a constant '1' value labeled by bios_date, bios_release, bios_vendor, \
    bios_version, board_asset_tag, board_name, board_serial, board_vendor, board_version, chassis_asset_tag, \
    chassis_serial, chassis_vendor, chassis_version, product_family, product_name, product_serial, product_sku, \
    product_uuid, product_version, system_vendor if provided by DMI.";

pub fn update(s: &mut Scrape) -> Outcome {
    let base = s.settings.paths.sys("class/dmi/id");
    if !base.is_dir() {
        return Err(Failure::no_data("not supported: no DMI on this machine"));
    }
    // Serial numbers are readable by root only; what cannot be read is left out.
    let values: Vec<(&str, String)> =
        FIELDS.iter().filter_map(|f| Some((*f, line(&base.join(f))?))).collect();
    let labels: Vec<(&str, &str)> = values
        .iter()
        .map(|(field, value)| (if *field == "sys_vendor" { "system_vendor" } else { field }, value.as_str()))
        .collect();
    s.out.gauge("node_dmi_info", HELP, &labels, 1.0);
    Ok(())
}
