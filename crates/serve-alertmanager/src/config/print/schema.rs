//! What the original shows of each section: its keys in order, defaults, and what is secret.

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

const fn f(key: &'static str) -> Field {
    Field { key, show: Show::Text, or: "", always: false, global: "" }
}

impl Field {
    const fn show(mut self, show: Show) -> Field {
        self.show = show;
        self
    }

    const fn or(mut self, default: &'static str) -> Field {
        self.or = default;
        self
    }

    const fn always(mut self) -> Field {
        self.always = true;
        self
    }

    const fn global(mut self, key: &'static str) -> Field {
        self.global = key;
        self
    }
}

const fn secret(key: &'static str) -> Field {
    f(key).show(Show::Secret)
}

const fn plain(key: &'static str) -> Field {
    f(key).show(Show::Plain)
}

const HTTP: Field = f("http_config").show(Show::Section(HTTP_CONFIG)).or("{}").global("http_config");
const RESOLVED: Field = plain("send_resolved").or("true").always();
const QUIET: Field = plain("send_resolved").or("false").always();
const TIMEOUT: Field = f("timeout").show(Show::GoSpan).or("\"0s\"").always();

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

/// A text whose default is one of the built-in templates.
macro_rules! tmpl {
    ($key:literal, $name:literal) => {
        f($key).or(concat!("\"{{ template \\\"", $name, "\\\" . }}\""))
    };
}

const FIELD: &[Field] = &[f("title"), f("value"), plain("short")];

/// Every kind of receiver, in the order of a receiver's keys.
pub(super) const KINDS: [(&str, &[Field]); 18] = [
    (
        "discord_configs",
        &[
            RESOLVED,
            HTTP,
            secret("webhook_url"),
            f("webhook_url_file"),
            f("content"),
            tmpl!("title", "discord.default.title"),
            tmpl!("message", "discord.default.message"),
            f("username"),
            f("avatar_url"),
        ],
    ),
    (
        "email_configs",
        &[
            QUIET,
            f("to"),
            f("from").global("smtp_from"),
            f("hello").global("smtp_hello"),
            f("smarthost").global("smtp_smarthost"),
            f("auth_username").global("smtp_auth_username"),
            secret("auth_password").global("smtp_auth_password"),
            f("auth_password_file").global("smtp_auth_password_file"),
            secret("auth_secret").global("smtp_auth_secret"),
            f("auth_secret_file").global("smtp_auth_secret_file"),
            f("auth_identity").global("smtp_auth_identity"),
            f("headers").show(Show::Map),
            tmpl!("html", "email.default.html"),
            f("text"),
            plain("require_tls").global("smtp_require_tls").always(),
            f("tls_config").show(Show::Section(TLS)).or("{}").global("smtp_tls_config").always(),
            plain("force_implicit_tls").global("smtp_force_implicit_tls"),
            f("threading").show(Show::Section(&[plain("enabled"), f("thread_by_date")])),
        ],
    ),
    (
        "incidentio_configs",
        &[
            RESOLVED,
            HTTP,
            f("url").always(),
            f("url_file").always(),
            secret("alert_source_token"),
            f("alert_source_token_file"),
            plain("max_alerts").or("0").always(),
            TIMEOUT,
        ],
    ),
    (
        "pagerduty_configs",
        &[
            RESOLVED,
            HTTP,
            secret("service_key"),
            f("service_key_file"),
            secret("routing_key"),
            f("routing_key_file"),
            f("url").global("pagerduty_url"),
            tmpl!("client", "pagerduty.default.client"),
            tmpl!("client_url", "pagerduty.default.clientURL"),
            f("description").or("\"{{ template \\\"pagerduty.default.description\\\" .}}\""),
            f("details").show(Show::Map),
            f("images").show(Show::List(&[f("src"), f("alt"), f("href")])),
            f("links").show(Show::List(&[f("href"), f("text")])),
            f("source"),
            f("severity"),
            f("class"),
            f("component"),
            f("group"),
            TIMEOUT,
        ],
    ),
    (
        "slack_configs",
        &[
            QUIET,
            HTTP,
            secret("api_url").global("slack_api_url"),
            f("api_url_file").global("slack_api_url_file"),
            secret("app_token"),
            f("app_token_file"),
            f("app_url").global("slack_app_url"),
            f("channel"),
            tmpl!("username", "slack.default.username"),
            tmpl!("color", "slack.default.color"),
            tmpl!("title", "slack.default.title"),
            tmpl!("title_link", "slack.default.titlelink"),
            tmpl!("pretext", "slack.default.pretext"),
            tmpl!("text", "slack.default.text"),
            f("message_text"),
            f("fields").show(Show::List(FIELD)),
            plain("short_fields").or("false").always(),
            tmpl!("footer", "slack.default.footer"),
            tmpl!("fallback", "slack.default.fallback"),
            tmpl!("callback_id", "slack.default.callbackid"),
            tmpl!("icon_emoji", "slack.default.iconemoji"),
            tmpl!("icon_url", "slack.default.iconurl"),
            f("image_url"),
            f("thumb_url"),
            plain("link_names").or("false").always(),
            f("mrkdwn_in").show(Show::Texts),
            f("actions").show(Show::List(&[
                f("type"),
                f("text"),
                f("url"),
                f("style"),
                f("name"),
                f("value"),
                f("confirm").show(Show::Section(&[f("text"), f("title"), f("ok_text"), f("dismiss_text")])),
            ])),
            plain("update_message").or("false").always(),
            TIMEOUT,
        ],
    ),
    (
        "webhook_configs",
        &[
            RESOLVED,
            HTTP,
            secret("url"),
            f("url_file").always(),
            plain("max_alerts").or("0").always(),
            TIMEOUT,
            plain("payload"),
        ],
    ),
    (
        "opsgenie_configs",
        &[
            RESOLVED,
            HTTP,
            secret("api_key").global("opsgenie_api_key"),
            f("api_key_file").global("opsgenie_api_key_file"),
            f("api_url").global("opsgenie_api_url"),
            tmpl!("message", "opsgenie.default.message"),
            tmpl!("description", "opsgenie.default.description"),
            tmpl!("source", "opsgenie.default.source"),
            f("details").show(Show::Map),
            f("entity"),
            f("responders").show(Show::List(&[f("id"), f("name"), f("username"), f("type")])),
            f("actions"),
            f("tags"),
            f("note"),
            f("priority"),
            plain("update_alerts"),
        ],
    ),
    (
        "wechat_configs",
        &[
            QUIET,
            HTTP,
            secret("api_secret").global("wechat_api_secret"),
            f("api_secret_file").global("wechat_api_secret_file"),
            f("corp_id").global("wechat_api_corp_id"),
            tmpl!("message", "wechat.default.message"),
            f("api_url").global("wechat_api_url"),
            tmpl!("to_user", "wechat.default.to_user"),
            tmpl!("to_party", "wechat.default.to_party"),
            tmpl!("to_tag", "wechat.default.to_tag"),
            tmpl!("agent_id", "wechat.default.agent_id"),
            f("message_type").or("\"text\""),
        ],
    ),
    (
        "pushover_configs",
        &[
            RESOLVED,
            HTTP,
            secret("user_key"),
            f("user_key_file"),
            secret("token"),
            f("token_file"),
            tmpl!("title", "pushover.default.title"),
            tmpl!("message", "pushover.default.message"),
            tmpl!("url", "pushover.default.url"),
            f("url_title"),
            f("device"),
            f("sound"),
            f("priority").or("\"{{ if eq .Status \\\"firing\\\" }}2{{ else }}0{{ end }}\""),
            f("retry").show(Show::GoSpan).or("\"1m\""),
            f("expire").show(Show::GoSpan).or("\"1h\""),
            f("ttl").show(Show::GoSpan),
            plain("html"),
            plain("monospace"),
        ],
    ),
    (
        "victorops_configs",
        &[
            RESOLVED,
            HTTP,
            secret("api_key").global("victorops_api_key"),
            f("api_key_file").global("victorops_api_key_file"),
            f("api_url").global("victorops_api_url"),
            f("routing_key").always(),
            f("message_type").or("\"CRITICAL\"").always(),
            tmpl!("state_message", "victorops.default.state_message").always(),
            tmpl!("entity_display_name", "victorops.default.entity_display_name").always(),
            tmpl!("monitoring_tool", "victorops.default.monitoring_tool").always(),
            f("custom_fields").show(Show::Map),
        ],
    ),
    (
        "sns_configs",
        &[
            RESOLVED,
            HTTP,
            f("api_url"),
            f("sigv4")
                .show(Show::Section(&[
                    f("region"),
                    f("access_key"),
                    secret("secret_key"),
                    f("profile"),
                    f("role_arn"),
                    plain("use_fips_sts_endpoint"),
                    f("external_id"),
                ]))
                .or("{}")
                .always(),
            f("topic_arn"),
            f("phone_number"),
            f("target_arn"),
            tmpl!("subject", "sns.default.subject"),
            tmpl!("message", "sns.default.message"),
            f("attributes").show(Show::Map),
        ],
    ),
    (
        "telegram_configs",
        &[
            RESOLVED,
            HTTP,
            f("api_url").global("telegram_api_url"),
            secret("bot_token").global("telegram_bot_token"),
            f("bot_token_file").global("telegram_bot_token_file"),
            plain("chat_id"),
            f("chat_id_file"),
            plain("message_thread_id"),
            tmpl!("message", "telegram.default.message"),
            plain("disable_notifications"),
            f("parse_mode").or("\"HTML\""),
        ],
    ),
    (
        "webex_configs",
        &[
            RESOLVED,
            HTTP,
            f("api_url").global("webex_api_url"),
            tmpl!("message", "webex.default.message"),
            f("room_id").always(),
        ],
    ),
    (
        "msteams_configs",
        &[
            RESOLVED,
            HTTP,
            secret("webhook_url"),
            f("webhook_url_file"),
            tmpl!("title", "msteams.default.title"),
            tmpl!("summary", "msteams.default.summary"),
            tmpl!("text", "msteams.default.text"),
        ],
    ),
    (
        "msteamsv2_configs",
        &[
            RESOLVED,
            HTTP,
            secret("webhook_url"),
            f("webhook_url_file"),
            tmpl!("title", "msteamsv2.default.title"),
            tmpl!("text", "msteamsv2.default.text"),
        ],
    ),
    (
        "jira_configs",
        &[
            RESOLVED,
            HTTP,
            f("api_url").global("jira_api_url"),
            f("api_type").or("\"auto\""),
            f("project"),
            f("summary")
                .show(Show::Section(JIRA_TEXT))
                .or("\"{{ template \\\"jira.default.summary\\\" . }}\""),
            f("description")
                .show(Show::Section(JIRA_TEXT))
                .or("\"{{ template \\\"jira.default.description\\\" . }}\""),
            f("labels").show(Show::Texts),
            tmpl!("priority", "jira.default.priority"),
            f("issue_type"),
            f("reopen_transition"),
            f("resolve_transition"),
            f("wont_fix_resolution"),
            f("reopen_duration").show(Show::Span),
            plain("fields"),
        ],
    ),
    (
        "rocketchat_configs",
        &[
            QUIET,
            HTTP,
            f("api_url").global("rocketchat_api_url"),
            secret("token_id").global("rocketchat_token_id"),
            f("token_id_file").global("rocketchat_token_id_file"),
            secret("token").global("rocketchat_token"),
            f("token_file").global("rocketchat_token_file"),
            f("channel"),
            f("color").or("\"{{ if eq .Status \\\"firing\\\" }}red{{ else }}green{{ end }}\""),
            tmpl!("title", "rocketchat.default.title"),
            tmpl!("title_link", "rocketchat.default.titlelink"),
            tmpl!("text", "rocketchat.default.text"),
            f("fields").show(Show::List(&[
                plain("short").or("null").always(),
                f("title").always(),
                f("value").always(),
            ])),
            plain("short_fields").or("false").always(),
            tmpl!("emoji", "rocketchat.default.emoji"),
            tmpl!("icon_url", "rocketchat.default.iconurl"),
            f("image_url"),
            f("thumb_url"),
            plain("link_names").or("false").always(),
            f("actions").show(Show::List(&[
                f("type").always(),
                f("text").always(),
                f("url").always(),
                f("imageurl").always(),
                plain("iswebview").or("false").always(),
                f("webviewheightratio").always(),
                f("msg").always(),
                plain("msginchatwindow").or("false").always(),
                f("msgprocessingtype").always(),
            ])),
        ],
    ),
    (
        "mattermost_configs",
        &[
            RESOLVED,
            HTTP,
            secret("webhook_url").global("mattermost_webhook_url"),
            f("webhook_url_file").global("mattermost_webhook_url_file"),
            f("channel"),
            tmpl!("username", "mattermost.default.username"),
            tmpl!("text", "mattermost.default.text"),
            tmpl!("fallback", "mattermost.default.fallback"),
            tmpl!("color", "mattermost.default.color"),
            f("pretext"),
            f("author_name"),
            f("author_link"),
            f("author_icon"),
            tmpl!("title", "mattermost.default.title"),
            tmpl!("title_link", "mattermost.default.titlelink"),
            f("fields").show(Show::List(FIELD)),
            f("thumb_url"),
            f("footer"),
            f("footer_icon"),
            f("image_url"),
            f("icon_url"),
            f("icon_emoji"),
            f("attachments").show(Show::List(&[
                f("fallback"),
                f("color"),
                f("pretext"),
                f("text"),
                f("author_name"),
                f("author_link"),
                f("author_icon"),
                f("title"),
                f("title_link"),
                f("fields").show(Show::List(FIELD)),
                f("thumb_url"),
                f("footer"),
                f("footer_icon"),
                f("image_url"),
            ])),
            f("type"),
            f("props").show(Show::Section(&[f("card")])),
            f("priority").show(Show::Section(&[
                f("priority"),
                plain("requested_ack"),
                plain("persistent_notifications"),
            ])),
        ],
    ),
];

const JIRA_TEXT: &[Field] = &[f("template"), plain("enable_update")];
