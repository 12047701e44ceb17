//! How sections are described: keys in the original's order, defaults, and what is secret. Here are the global
//! section and what sections share; the kinds of receivers are in `kinds`.

/// How a value is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Show {
    Text,
    /// A number, a switch, or anything written as it was.
    Plain,
    Secret,
    /// `1m30s`, as Prometheus writes spans.
    Span,
    /// `1m30s`, `1m0s`: as Go writes them.
    GoSpan,
    /// An address whose password is hidden.
    Address,
    /// A file, relative to the configuration's directory.
    File,
    /// Names and values, by name.
    Map,
    Texts,
    Secrets,
    /// Names and lists of secrets.
    SecretLists,
    Files,
    Section(&'static [Field]),
    List(&'static [Field]),
    /// Sections under free names.
    Named(&'static [Field]),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub key: &'static str,
    pub show: Show,
    /// The default as JSON; empty for none.
    pub or: &'static str,
    /// Shown even when it is empty or zero.
    pub always: bool,
    /// The key of the global section that it is taken from when it, and the file beside it, are not given.
    pub global: &'static str,
}

pub(super) const fn f(key: &'static str) -> Field {
    Field { key, show: Show::Text, or: "", always: false, global: "" }
}

impl Field {
    pub(super) const fn show(mut self, show: Show) -> Field {
        self.show = show;
        self
    }

    pub(super) const fn or(mut self, default: &'static str) -> Field {
        self.or = default;
        self
    }

    pub(super) const fn always(mut self) -> Field {
        self.always = true;
        self
    }

    pub(super) const fn global(mut self, key: &'static str) -> Field {
        self.global = key;
        self
    }
}

pub(super) const fn secret(key: &'static str) -> Field {
    f(key).show(Show::Secret)
}

pub(super) const fn plain(key: &'static str) -> Field {
    f(key).show(Show::Plain)
}

pub(super) const HTTP: Field =
    f("http_config").show(Show::Section(HTTP_CONFIG)).or("{}").global("http_config");
pub(super) const RESOLVED: Field = plain("send_resolved").or("true").always();
pub(super) const QUIET: Field = plain("send_resolved").or("false").always();
pub(super) const TIMEOUT: Field = f("timeout").show(Show::GoSpan).or("\"0s\"").always();

pub(super) const TLS: &[Field] = &[
    f("ca"),
    f("cert"),
    secret("key"),
    f("ca_file").show(Show::File),
    f("cert_file").show(Show::File),
    f("key_file").show(Show::File),
    f("server_name"),
    plain("insecure_skip_verify").or("false").always(),
    f("min_version"),
    f("max_version"),
];

const PROXY_URL: Field = f("proxy_url").show(Show::Address);

const HEADER: &[Field] =
    &[f("values").show(Show::Texts), f("secrets").show(Show::Secrets), f("files").show(Show::Files)];

const PROXY_HEADER: Field = f("proxy_connect_header").show(Show::SecretLists);

pub(super) const HTTP_CONFIG: &[Field] = &[
    f("basic_auth").show(Show::Section(&[
        f("username"),
        f("username_file").show(Show::File),
        secret("password"),
        f("password_file").show(Show::File),
    ])),
    f("authorization").show(Show::Section(&[
        f("type").or("\"Bearer\""),
        secret("credentials"),
        f("credentials_file").show(Show::File),
    ])),
    f("oauth2").show(Show::Section(&[
        f("client_id").always(),
        secret("client_secret"),
        f("client_secret_file").show(Show::File),
        f("scopes").show(Show::Texts),
        f("token_url").always(),
        f("endpoint_params").show(Show::Map),
        f("tls_config").show(Show::Section(TLS)),
        PROXY_URL,
        f("no_proxy"),
        plain("proxy_from_environment"),
        PROXY_HEADER,
    ])),
    f("tls_config").show(Show::Section(TLS)),
    plain("follow_redirects").or("true").always(),
    plain("enable_http2").or("true").always(),
    PROXY_URL,
    f("no_proxy"),
    plain("proxy_from_environment"),
    PROXY_HEADER,
    f("http_headers").show(Show::Named(HEADER)),
];

pub(super) const GLOBAL: &[Field] = &[
    f("resolve_timeout").show(Show::Span).or("\"5m\"").always(),
    f("http_config").show(Show::Section(HTTP_CONFIG)).or("{}"),
    f("jira_api_url"),
    f("smtp_from"),
    f("smtp_hello").or("\"localhost\""),
    f("smtp_smarthost"),
    f("smtp_auth_username"),
    secret("smtp_auth_password"),
    f("smtp_auth_password_file"),
    secret("smtp_auth_secret"),
    f("smtp_auth_secret_file"),
    f("smtp_auth_identity"),
    plain("smtp_require_tls").or("true").always(),
    f("smtp_tls_config").show(Show::Section(TLS)).or("{}"),
    plain("smtp_force_implicit_tls"),
    secret("slack_api_url"),
    f("slack_api_url_file"),
    secret("slack_app_token"),
    f("slack_app_token_file"),
    f("slack_app_url").or("\"https://slack.com/api/chat.postMessage\""),
    f("pagerduty_url").or("\"https://events.pagerduty.com/v2/enqueue\""),
    f("opsgenie_api_url").or("\"https://api.opsgenie.com/\""),
    secret("opsgenie_api_key"),
    f("opsgenie_api_key_file"),
    f("wechat_api_url").or("\"https://qyapi.weixin.qq.com/cgi-bin/\""),
    secret("wechat_api_secret"),
    f("wechat_api_secret_file"),
    f("wechat_api_corp_id"),
    f("victorops_api_url").or("\"https://alert.victorops.com/integrations/generic/20131114/alert/\""),
    secret("victorops_api_key"),
    f("victorops_api_key_file"),
    f("telegram_api_url").or("\"https://api.telegram.org\""),
    secret("telegram_bot_token"),
    f("telegram_bot_token_file"),
    f("webex_api_url").or("\"https://webexapis.com/v1/messages\""),
    f("rocketchat_api_url").or("\"https://open.rocket.chat/\""),
    secret("rocketchat_token"),
    f("rocketchat_token_file"),
    secret("rocketchat_token_id"),
    f("rocketchat_token_id_file"),
    secret("mattermost_webhook_url"),
    f("mattermost_webhook_url_file"),
];
