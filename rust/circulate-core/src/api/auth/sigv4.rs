//! Signatures of AWS, in their version 4. The signing is done by the crate that the AWS SDK signs with.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use url::Url;

use super::signer::{Signer, value_of};
use crate::api::account::Account;
use crate::api::http::{Request, percent_encoded};
use crate::catalog::{AwsAuth, Name};
use crate::error::{Error, ErrorKind, Result};

/// The header with the time of a signature, and how it writes that.
const DATE: &str = "x-amz-date";
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";
/// The one service that takes paths as they are, and wants a digest of the body in a header.
const S3: &str = "s3";

/// Signs requests for a service in a region.
#[derive(Debug)]
pub(super) struct AwsSigner {
    spec: AwsAuth,
    region: String,
    service: String,
}

impl AwsSigner {
    /// For what the settings of `account` say.
    pub(super) fn new(spec: &AwsAuth, account: &Account) -> Result<Self> {
        let (region, service) = (account.filled(&spec.region)?, account.filled(&spec.service)?);
        for (what, value) in [("region", &region), ("service", &service)] {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if value.is_empty() || !value.bytes().all(plain) {
                let what = format!("`{value}` is not a {what} of AWS");
                return Err(Error::new(ErrorKind::Settings, "prepare credentials", what));
            }
        }
        Ok(Self { spec: spec.clone(), region, service })
    }

    fn signing_settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == S3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }
}

impl Signer for AwsSigner {
    fn sign(&self, account: &Account, request: &mut Request, now: Timestamp) -> Result<()> {
        let text = |name| value_of(account, name).map(|value| value.expose().to_owned());
        let token =
            self.spec.session_token.as_ref().filter(|name| account.is_set(name)).map(text).transpose()?;
        let (id, key) = (text(&self.spec.access_key_id)?, text(&self.spec.secret_access_key)?);
        let identity = Credentials::new(id, key, token, None, "settings").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(&self.service)
            .time(now.into())
            .settings(self.signing_settings())
            .build()
            .map_err(|error| unsigned().caused_by(error))?
            .into();
        encode_strictly(&mut request.url);
        // Whoever asks for a signature a second time does not sign the first one.
        for name in ["authorization", DATE, "x-amz-security-token", "x-amz-content-sha256"] {
            request.headers.remove(name);
        }
        let headers =
            request.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signed = SignableRequest::new(
            request.method.as_str(),
            request.url.as_str(),
            headers,
            SignableBody::Bytes(&request.body),
        )
        .and_then(|signable| sign(signable, &params))
        .map_err(|error| unsigned().caused_by(error))?;
        for header in signed.into_parts().0.into_parts().0 {
            let name = HeaderName::from_static(header.name());
            let mut value: HeaderValue = header.value().parse().map_err(|_| unsigned())?;
            value.set_sensitive(true);
            request.headers.insert(name, value);
        }
        Ok(())
    }

    fn settings(&self) -> Vec<&Name> {
        let AwsAuth { access_key_id, secret_access_key, session_token, .. } = &self.spec;
        [access_key_id, secret_access_key].into_iter().chain(session_token).collect()
    }

    fn signed_at(&self, request: &Request) -> Option<Timestamp> {
        let text = request.headers.get(DATE)?.to_str().ok()?;
        let time = strtime::parse(DATE_FORMAT, text).ok()?.to_datetime().ok()?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    }
}

fn unsigned() -> Error {
    Error::new(ErrorKind::Auth, "sign request", "the request cannot be signed for AWS")
        .hint("the access key may have been copied with a line break or typographic quotes")
}

/// AWS takes a `+` in a query for a plus: a space is sent as `%20`, and all else that is not plain is encoded, too.
fn encode_strictly(url: &mut Url) {
    let Some(query) = url.query() else { return };
    let encoded = |text: &str| {
        let plain =
            url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| percent_encoded(&name));
        plain.unwrap_or_default()
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", encoded(name), encoded(&value.replace('=', "%3D"))),
        None => encoded(pair),
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    url.set_query(Some(&query));
}
