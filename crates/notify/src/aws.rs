//! Requests that Amazon's services accept: where credentials come from, and signature version 4.
//!
//! The signature: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use alerting::{Attempt, NotifyError};
use config::Secret;
use ring::{digest, hmac};
use serde::Deserialize;
use template::time::Time;

use crate::address::form;
use crate::http::{Call, HttpClient, check_status_saying, said_at};
use crate::secrets::{is_set, read_file};
use crate::text::hex;

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const STS_VERSION: &str = "2011-06-15";

/// The `sigv4` section. What is missing comes from the environment or the shared files, as Amazon's own clients
/// have it.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SigV4Settings {
    pub region: String,
    pub access_key: String,
    pub secret_key: Option<Secret>,
    pub profile: String,
    pub role_arn: String,
    pub external_id: String,
    pub use_fips_sts_endpoint: bool,
    pub service_name: String,
}

/// Who signs.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub access_key: String,
    pub secret_key: Secret,
    pub session_token: Option<Secret>,
}

pub(crate) struct Service<'a> {
    pub name: &'a str,
    pub region: &'a str,
}

impl SigV4Settings {
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.access_key.is_empty() == is_set(&self.secret_key) {
            return Err(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config"
                    .into(),
            );
        }
        Ok(())
    }

    pub(crate) fn region(&self) -> Option<String> {
        if !self.region.is_empty() {
            return Some(self.region.clone());
        }
        let from = |name: &str| std::env::var(name).ok().filter(|region| !region.is_empty());
        from("AWS_REGION").or_else(|| from("AWS_DEFAULT_REGION"))
    }

    /// The configured or surrounding credentials; with `role_arn`, those of the role, asked for with them.
    pub(crate) async fn credentials(
        &self,
        region: &str,
        client: &HttpClient,
    ) -> Result<Credentials, NotifyError> {
        let own = self.own_credentials().map_err(NotifyError::transient)?;
        match self.role_arn.is_empty() {
            true => Ok(own),
            false => self.assume_role(&own, region, client).await,
        }
    }

    fn own_credentials(&self) -> Result<Credentials, String> {
        if let (false, Some(secret_key)) = (self.access_key.is_empty(), &self.secret_key) {
            let (access_key, secret_key) = (self.access_key.clone(), secret_key.clone());
            return Ok(Credentials { access_key, secret_key, session_token: None });
        }
        let from = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let inherited = (from("AWS_ACCESS_KEY_ID"), from("AWS_SECRET_ACCESS_KEY"));
        if let ("", (Some(access_key), Some(secret_key))) = (self.profile.as_str(), inherited) {
            let session_token = from("AWS_SESSION_TOKEN").map(Secret::new);
            return Ok(Credentials { access_key, secret_key: Secret::new(secret_key), session_token });
        }
        let path = from("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let path = path.or_else(|| Some(PathBuf::from(from("HOME")?).join(".aws/credentials")));
        let path = path.ok_or("no AWS credentials are configured")?;
        let profile = match self.profile.as_str() {
            "" => from("AWS_PROFILE").unwrap_or_else(|| "default".into()),
            profile => profile.to_owned(),
        };
        from_profile(&read_file(&path)?, &profile)
            .ok_or_else(|| format!("{}: no credentials for profile {profile:?}", path.display()))
    }

    async fn assume_role(
        &self,
        own: &Credentials,
        region: &str,
        client: &HttpClient,
    ) -> Result<Credentials, NotifyError> {
        let host = if self.use_fips_sts_endpoint { "sts-fips" } else { "sts" };
        let url = format!("https://{host}.{region}.amazonaws.com/");
        let mut fields = vec![
            ("Action", "AssumeRole"),
            ("Version", STS_VERSION),
            ("RoleArn", &self.role_arn),
            ("RoleSessionName", "cloudos-monitor"),
        ];
        if !self.external_id.is_empty() {
            fields.push(("ExternalId", &self.external_id));
        }
        let body = form(&fields);
        let service = Service { name: "sts", region };
        let headers = sign(&service, own, &url, &body, SystemTime::now()).map_err(NotifyError::permanent)?;
        let call = Call { content_type: FORM, headers, ..Call::post_json(url, body) };
        // What is answered is no business of the history.
        let answer = client
            .send(call, "sns", &mut Attempt::default())
            .await
            .map_err(said_at(format!("assume role {}", self.role_arn)))?;
        let details = element(&answer.body, "Message").unwrap_or("");
        check_status_saying(&answer, &[], details)
            .map_err(said_at(format!("assume role {}", self.role_arn)))?;
        let part = |name: &str| element(&answer.body, name).map(str::to_owned);
        match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")) {
            (Some(access_key), Some(secret_key), Some(token)) => Ok(Credentials {
                access_key,
                secret_key: Secret::new(secret_key),
                session_token: Some(Secret::new(token)),
            }),
            _ => Err(NotifyError::transient("assume role: the answer has no credentials")),
        }
    }
}

/// The keys of one section of a shared credentials file.
fn from_profile(text: &str, profile: &str) -> Option<Credentials> {
    let (mut values, mut is_wanted) = (HashMap::new(), false);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_wanted = name.trim() == profile;
        } else if let (true, Some((name, value))) = (is_wanted, line.split_once('=')) {
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Some(Credentials {
        access_key: values.remove("aws_access_key_id")?,
        secret_key: Secret::new(values.remove("aws_secret_access_key")?),
        session_token: values.remove("aws_session_token").map(Secret::new),
    })
}

/// The headers that make a POST of the form `body` to `url` acceptable.
pub(crate) fn sign(
    service: &Service<'_>,
    credentials: &Credentials,
    url: &str,
    body: &str,
    now: SystemTime,
) -> Result<Vec<(&'static str, String)>, String> {
    let url = reqwest::Url::parse(url).map_err(|e| e.to_string())?;
    let host = match (url.host_str().ok_or("missing host for URL")?, url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Time::from_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)).format("20060102T150405Z");
    let day = now.get(..8).unwrap_or_default();

    // Signed in the order of their names.
    let mut signed = vec![("content-type", FORM.to_owned()), ("host", host), ("x-amz-date", now.clone())];
    if let Some(token) = &credentials.session_token {
        signed.push(("x-amz-security-token", token.reveal().to_owned()));
    }
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    // The path as it is sent, its own percent signs escaped once more.
    let path = url.path().replace('%', "%25");
    let query = url.query().unwrap_or("");
    let request = format!("POST\n{path}\n{query}\n{lines}\n{names}\n{}", hash(body));

    let scope = format!("{day}/{}/{}/aws4_request", service.region, service.name);
    let to_sign = format!("{ALGORITHM}\n{now}\n{scope}\n{}", hash(&request));
    let mut key = format!("AWS4{}", credentials.secret_key.reveal()).into_bytes();
    for part in [day, service.region, service.name, "aws4_request"] {
        key = mac(&key, part);
    }
    let signature = hex(&mac(&key, &to_sign));
    let by = &credentials.access_key;
    let mut headers = vec![
        (
            "Authorization",
            format!("{ALGORITHM} Credential={by}/{scope}, SignedHeaders={names}, Signature={signature}"),
        ),
        ("X-Amz-Date", now),
    ];
    if let Some(token) = &credentials.session_token {
        headers.push(("X-Amz-Security-Token", token.reveal().to_owned()));
    }
    Ok(headers)
}

fn hash(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// The text of the first element of that name in an XML answer.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = xml.split_once(&format!("<{name}>"))?;
    after.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn example() -> Credentials {
        Credentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        }
    }

    /// `post-x-www-form-urlencoded` of Amazon's own test suite.
    #[test]
    fn the_example_is_signed_as_published() {
        let service = Service { name: "service", region: "us-east-1" };
        let at = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let headers =
            sign(&service, &example(), "https://example.amazonaws.com/", "Param1=value1", at).unwrap();
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
            SignedHeaders=content-type;host;x-amz-date, \
            Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        assert_eq!(headers[0], ("Authorization", expected.to_owned()));
        assert_eq!(headers[1], ("X-Amz-Date", "20150830T123600Z".to_owned()));
        let with_token = Credentials { session_token: Some(Secret::new("t")), ..example() };
        let headers = sign(&service, &with_token, "http://h:1/a%20b?x=1", "", at).unwrap();
        assert!(headers[0].1.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"));
        assert_eq!(headers[2], ("X-Amz-Security-Token", "t".to_owned()));
    }

    #[test]
    fn profiles_are_found_by_name() {
        let text = "# comment\n[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[ other ]\n\
            AWS_ACCESS_KEY_ID=C\naws_secret_access_key = D\naws_session_token = E\n[half]\naws_access_key_id=F\n";
        let found = |profile: &str| {
            from_profile(text, profile).map(|c| {
                let token = c.session_token.map(|t| t.reveal().to_owned());
                (c.access_key, c.secret_key.reveal().to_owned(), token)
            })
        };
        assert_eq!(found("default"), Some(("A".into(), "B".into(), None)));
        assert_eq!(found("other"), Some(("C".into(), "D".into(), Some("E".into()))));
        assert_eq!((found("half"), found("none")), (None, None));
    }

    #[test]
    fn elements_are_found_in_answers() {
        let xml = "<E><Code>X</Code><Message>no such topic</Message><Open>";
        assert_eq!(element(xml, "Message"), Some("no such topic"));
        assert_eq!((element(xml, "Open"), element(xml, "Gone")), (None, None));
    }
}
