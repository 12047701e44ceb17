//! The commands without the servers: what the binary does with its arguments.
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let context = tools::Context { program: "cloudos-monitor", store: "data/prometheus_data".into() };
    let name = args.first().map_or("", String::as_str);
    tools::run(name, args.get(1..).unwrap_or_default(), &context).unwrap_or(std::process::ExitCode::FAILURE)
}
