use super::Config;

fn error(text: &str) -> String {
    Config::parse("promtail.yml", text).unwrap_err().to_string()
}

#[test]
fn the_file_of_the_stack_is_accepted() {
    let text = include_str!("../../../../promtail/promtail-config.yml");
    let config = Config::parse("promtail.yml", text).unwrap();
    assert!(config.scrape_configs.iter().any(|scrape| scrape.journal.is_some()));
    assert_eq!(config.all_clients().count(), 1);
}

#[test]
fn stages_are_read_in_all_their_forms() {
    let text = "
clients: [{url: 'http://localhost:3100/loki/api/v1/push', external_labels: {host: a}, basic_auth: {username: u}}]
scrape_configs:
- job_name: x
  static_configs: [{labels: {__path__: /var/log/x.log}}]
  pipeline_stages:
  - docker: {}
  - cri:
  - json: {expressions: {level: , msg: a.b}}
  - labels: {level: }
  - labeldrop: [a]
  - match:
      selector: '{job=\"x\"} |= \"a\"'
      action: drop
  - drop: {source: [a, b], value: x, older_than: 1h}
  - drop: {longer_than: 8kb}
";
    assert_eq!(Config::parse("f", text).unwrap().scrape_configs[0].pipeline_stages.len(), 8);
}

#[test]
fn errors_name_file_line_and_key() {
    let check = |text: &str, part: &str| {
        let e = error(text);
        assert!(e.starts_with("promtail.yml") && e.contains(part), "{e}");
    };
    check("clientz: []\n", "promtail.yml:1:1: unknown field `clientz`");
    check("server: {}\npositions:\n  file: x\n", "promtail.yml:3:3: unknown field `file`");
    check("clients: [{batchwait: 1s}]\n", "client needs target URL");
    let job = "scrape_configs:\n- job_name: x\n";
    check(&format!("{job}  pipeline_stages: [{{geoip: {{db: x}}}}]\n"), "geoip is not supported");
    check(&format!("{job}  pipeline_stages: [{{nothing: {{}}}}]\n"), "unknown variant `nothing`");
    check(&format!("{job}  pipeline_stages: [{{regex: {{expression: '('}}}}]\n"), "scrape config \"x\": ");
    check(&format!("{job}  syslog: {{listen_address: x}}\n"), "syslog is not supported");
    check(
        &format!("{job}  docker_sd_configs: [{{host: 'unix:///x'}}]\n"),
        "docker_sd_configs is not supported",
    );
    check(&format!("{job}- job_name: x\n"), "found multiple scrape configs with job name \"x\"");
}

#[test]
fn published_examples_are_accepted() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/promtail/upstream-examples");
    let Ok(files) = std::fs::read_dir(dir) else {
        println!("skipped: {dir} is not there");
        return;
    };
    let mut accepted = 0;
    for file in files.flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        match Config::parse("f", &text) {
            Ok(_) => accepted += 1,
            Err(e) => assert!(e.to_string().contains("is not supported"), "{:?}: {e}", file.path()),
        }
    }
    assert!(accepted >= 3, "{accepted}");
}
