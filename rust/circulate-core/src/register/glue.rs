//! The Glue Data Catalog, by the few operations that tables need. Its SDK has some 270 operations and 35 MB of source, so requests are
//! made by the parts that all of AWS's SDKs are made of: <https://docs.aws.amazon.com/glue/latest/webapi/WebAPI_Welcome.html>

use std::fmt;

use aws_credential_types::provider::ProvideCredentials;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::TransientErrorClassifier;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use serde_json::{Value, json};

use crate::aws::{Aws, Call, behavior_version, retry_statuses};
use crate::error::{Error, ErrorKind, Result};

/// What Glue says when something is there already, is not there, or was changed by somebody else.
const EXISTS: &str = "AlreadyExistsException";
const MISSING: &str = "EntityNotFoundException";
const CHANGED: &str = "ConcurrentModificationException";

/// A database of the catalog.
#[derive(Debug)]
pub struct GlueDatabase {
    aws: Aws,
    name: String,
}

/// A table or view, as it is in the catalog.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundTable {
    /// Its definition.
    pub(super) table: Value,
    /// Which version that is.
    pub(super) version: Option<String>,
}

/// What came of a write that others may have been quicker with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// It was written.
    Done,
    /// Somebody else has created or changed it meanwhile. Nothing was written.
    Overtaken,
}

impl GlueDatabase {
    /// The database of this name, in the region and account of `aws`.
    pub fn new(aws: &Aws, name: &str) -> Result<Self> {
        Self::check_name(name)?;
        Ok(Self { aws: aws.clone(), name: name.to_owned() })
    }

    /// Whether this can name a database, without a request.
    pub fn check_name(name: &str) -> Result<()> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !name.is_empty() && name.len() <= 255 && name.bytes().all(plain) {
            return Ok(());
        }
        let message = format!("invalid `database`: `{name}`");
        Err(Error::new(ErrorKind::Settings, "open database", message)
            .hint("a database that Athena reads has 1 to 255 lower-case letters, digits and underscores"))
    }

    /// Whether files of its tables can be here, without a request.
    pub fn check_place(location: &str) -> Result<()> {
        if location.starts_with("s3://") {
            return Ok(());
        }
        let message = format!("files of tables of Glue are in a bucket, and {location} is a folder");
        Err(Error::new(ErrorKind::Settings, "open database", message).hint("give s3://bucket/prefix (`to`)"))
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A table or view; `None` if there is none.
    pub(super) async fn table(&self, name: &str) -> Result<Option<FoundTable>> {
        let input = json!({"DatabaseName": self.name, "Name": name});
        let call = self.call("read table", "glue:GetTable", name);
        let mut output = match self.invoke("GetTable", input).await {
            Ok(output) => output,
            Err(error) if is(&error, MISSING) => return self.there_is_a_database(&error).map(|()| None),
            Err(error) => return Err(call.failed(&error)),
        };
        let table = output["Table"].take();
        let version = table["VersionId"].as_str().map(str::to_owned);
        Ok(Some(FoundTable { table, version }))
    }

    /// Creates a table or view.
    pub(super) async fn create_table(&self, table: &Value) -> Result<Written> {
        let input = json!({"DatabaseName": self.name, "TableInput": table});
        let call = self.call("create table", "glue:CreateTable", table["Name"].as_str().unwrap_or_default());
        match self.invoke("CreateTable", input).await {
            Ok(_) => Ok(Written::Done),
            Err(error) if is(&error, EXISTS) => Ok(Written::Overtaken),
            Err(error) if is(&error, MISSING) => Err(self.no_database()),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Replaces the definition of a table or view, if that is still of the version that was read.
    pub(super) async fn update_table(&self, table: &Value, version: Option<&str>) -> Result<Written> {
        let input = json!({
            "DatabaseName": self.name, "TableInput": table, "SkipArchive": true, "VersionId": version,
        });
        let call = self.call("update table", "glue:UpdateTable", table["Name"].as_str().unwrap_or_default());
        match self.invoke("UpdateTable", input).await {
            Ok(_) => Ok(Written::Done),
            Err(error) if is(&error, CHANGED) || is(&error, MISSING) => Ok(Written::Overtaken),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// The partition of a table with these values; `None` if there is none, or no such table.
    pub(super) async fn partition(&self, table: &str, values: &[&str]) -> Result<Option<Value>> {
        let input = json!({"DatabaseName": self.name, "TableName": table, "PartitionValues": values});
        let call = self.call("read partition", "glue:GetPartition", table);
        match self.invoke("GetPartition", input).await {
            Ok(mut output) => Ok(Some(output["Partition"].take())),
            Err(error) if is(&error, MISSING) => self.there_is_a_database(&error).map(|()| None),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Registers a partition of a table.
    pub(super) async fn create_partition(&self, table: &str, partition: &Value) -> Result<Written> {
        let input = json!({"DatabaseName": self.name, "TableName": table, "PartitionInput": partition});
        let call = self.call("register partition", "glue:CreatePartition", table);
        match self.invoke("CreatePartition", input).await {
            Ok(_) => Ok(Written::Done),
            Err(error) if is(&error, EXISTS) => Ok(Written::Overtaken),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// Glue says the same of a table and of its database that is not there, but for the words.
    fn there_is_a_database(&self, error: &GlueFailure) -> Result<()> {
        let is_about_it = |error: &GlueError| {
            error.0.message().is_some_and(|message| message.to_ascii_lowercase().contains("database"))
        };
        if error.as_service_error().is_some_and(is_about_it) { Err(self.no_database()) } else { Ok(()) }
    }

    fn no_database(&self) -> Error {
        let message = format!("there is no database `{}` in {}", self.name, self.aws.region());
        Error::new(ErrorKind::Storage, "open database", message).hint(
            "Terraform makes it where `athena` is true; else `aws glue create-database`, or set AWS_REGION",
        )
    }

    fn call<'a>(&'a self, operation: &'static str, permissions: &'a str, table: &str) -> Call<'a> {
        let region = self.aws.region();
        let arn = |what: &str| format!("arn:aws:glue:{region}:*:{what}");
        Call {
            service: "Glue",
            kind: ErrorKind::Storage,
            operation,
            permissions,
            resource: format!("{}.{table}", self.name),
            allow_on: format!(
                "{}, {} and {}",
                arn("catalog"),
                arn(&format!("database/{}", self.name)),
                arn(&format!("table/{}/{table}", self.name))
            ),
            region,
        }
    }

    fn endpoint(&self) -> String {
        let region = self.aws.region();
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        self.aws.endpoint("GLUE").unwrap_or_else(|| format!("https://glue.{region}.{suffix}"))
    }

    /// Calls an operation, with the retries of all our calls.
    async fn invoke(&self, operation: &'static str, input: Value) -> Result<Value, GlueFailure> {
        let request = self.signed(operation, &input).await.map_err(SdkError::construction_failure)?;
        let config = self.aws.config();
        let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let timeouts = config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let mut builder = Operation::builder()
            .service_name("glue")
            .operation_name(operation)
            .behavior_version(behavior_version())
            .endpoint_url(&self.endpoint())
            // Requests are signed already.
            .no_auth()
            .standard_retry(&retries)
            .timeout_config(timeouts)
            .retry_classifier(retry_statuses())
            .retry_classifier(TransientErrorClassifier::<GlueError>::new())
            .retry_classifier(AwsErrorCodeClassifier::<GlueError>::new());
        if let Some(client) = config.http_client() {
            builder = builder.http_client(client);
        }
        if let Some(sleep) = config.sleep_impl() {
            builder = builder.sleep_impl(sleep);
        }
        if let Some(time) = config.time_source() {
            builder = builder.time_source(time);
        }
        let operation = builder
            .serializer(|request: SignedRequest| request.into_http())
            .deserializer(|response: &HttpResponse| read_response(response))
            .build();
        operation.invoke(request).await
    }

    /// A request with its signature, which holds for five minutes: longer than all retries take.
    async fn signed(&self, operation: &str, input: &Value) -> Result<SignedRequest, BoxError> {
        let config = self.aws.config();
        let provider = config.credentials_provider().ok_or("no credentials provider")?;
        let identity = provider.provide_credentials().await?.into();
        let uri = format!("{}/", self.endpoint().trim_end_matches('/'));
        let body = serde_json::to_vec(input)?;
        let mut headers = vec![
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), format!("AWSGlue.{operation}")),
        ];
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.aws.region())
            .name("glue")
            .time(config.time_source().ok_or("no clock")?.now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let given = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let signable = SignableRequest::new("POST", uri.as_str(), given, SignableBody::Bytes(&body))?;
        let signed = sign(signable, &params)?.into_parts().0.into_parts().0;
        headers.extend(signed.iter().map(|header| (header.name().to_owned(), header.value().to_owned())));
        Ok(SignedRequest { uri, headers, body })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type GlueFailure = SdkError<GlueError, HttpResponse>;

struct SignedRequest {
    uri: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl SignedRequest {
    fn into_http(self) -> Result<HttpRequest, BoxError> {
        let mut request = HttpRequest::new(SdkBody::from(self.body));
        request.set_method("POST")?;
        request.set_uri(self.uri)?;
        for (name, value) in self.headers {
            request.headers_mut().try_insert(name, value)?;
        }
        Ok(request)
    }
}

/// An error that Glue returned.
#[derive(Debug)]
struct GlueError(ErrorMetadata);

impl fmt::Display for GlueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for GlueError {}

impl ProvideErrorMetadata for GlueError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

fn is(error: &GlueFailure, code: &str) -> bool {
    error.as_service_error().and_then(|error| error.0.code()) == Some(code)
}

fn read_response(response: &HttpResponse) -> Result<Value, OrchestratorError<GlueError>> {
    let body: Option<Value> = response.body().bytes().and_then(|body| serde_json::from_slice(body).ok());
    if response.status().is_success() {
        return body.ok_or_else(|| OrchestratorError::other("the response is not JSON"));
    }
    let body = body.unwrap_or_default();
    let mut error = ErrorMetadata::builder();
    let code = body["__type"].as_str().or_else(|| response.headers().get("x-amzn-errortype"));
    if let Some(code) = code {
        // It may stand behind the name of its model, and before an address.
        let code = code.rsplit('#').next().unwrap_or(code);
        error = error.code(code.split(':').next().unwrap_or(code));
    }
    if let Some(message) = body["message"].as_str().or_else(|| body["Message"].as_str()) {
        error = error.message(message);
    }
    if let Some(id) = response.headers().get("x-amzn-requestid") {
        error = error.custom("aws_request_id", id);
    }
    Err(OrchestratorError::operation(GlueError(error.build())))
}
