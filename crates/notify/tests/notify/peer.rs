//! The original's `amtool`, as an oracle for templates.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the original's programs are, when they are there.
pub fn amtool() -> Option<PathBuf> {
    let set = std::env::var_os("CLOUDOS_PEERS").map(PathBuf::from);
    let usual =
        || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/cloudos-peers/root/usr/bin"));
    set.or_else(usual).map(|dir| dir.join("amtool")).filter(|path| path.exists())
}

/// The directory of the original's own default templates, which its tool does not load by itself.
pub fn default_templates(amtool: &Path) -> Option<PathBuf> {
    let dir = amtool.parent()?.parent()?.join("share/prometheus/alertmanager");
    dir.join("default.tmpl").exists().then_some(dir)
}

/// What `amtool template render` prints: the text, or the error.
pub fn render(
    amtool: &Path,
    glob: &str,
    text: &str,
    html: bool,
    data: Option<&Path>,
) -> Result<String, String> {
    let mut command = Command::new(amtool);
    command.args(["template", "render"]);
    command.arg(format!("--template.glob={glob}"));
    command.arg(format!("--template.text={text}"));
    command.arg(format!("--template.type={}", if html { "html" } else { "text" }));
    if let Some(data) = data {
        command.arg(format!("--template.data={}", data.display()));
    }
    let output = command.output().unwrap();
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).unwrap());
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(error.trim().strip_prefix("amtool: error: ").unwrap_or(error.trim()).to_owned())
}
