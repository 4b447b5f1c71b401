//! How S3 refuses conditional requests.

use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::bucket::{code, status};

/// Why S3 refused a conditional request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConditionalError {
    /// The condition does not hold: the key is taken (`If-None-Match`), or the source was changed (`If-Match`). A retry of a
    /// write whose first response was lost gets this too, so the object that is there may be our own.
    ConditionFailed,
    /// Another write of the key is under way, and the request is to be retried: an upload in parts from its beginning.
    Conflict,
    /// The upload in parts was completed or aborted before. If our own completion did so and its response was lost, the
    /// object is there, and an upload from the beginning finds it.
    UploadEnded,
}

/// The conditional error that an error is, if it is one: 412 `PreconditionFailed`, 409 `ConditionalRequestConflict`, or
/// `NoSuchUpload`.
///
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>. Status
/// and code are both looked at: responses of other services than AWS's own may lack the code, and a copy or a completion may
/// fail after its 200 was sent, when only the code says so.
pub(super) fn conditional_error<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> Option<ConditionalError> {
    match (status(error), code(error)) {
        (_, Some("NoSuchUpload")) => Some(ConditionalError::UploadEnded),
        (Some(412), _) | (_, Some("PreconditionFailed")) => Some(ConditionalError::ConditionFailed),
        (Some(409), _) | (_, Some("ConditionalRequestConflict")) => Some(ConditionalError::Conflict),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn refused(status: u16, code: Option<&str>) -> Option<ConditionalError> {
        let error = match code {
            Some(code) => ErrorMetadata::builder().code(code),
            None => ErrorMetadata::builder(),
        };
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        conditional_error(&SdkError::service_error(error.build(), response))
    }

    #[test]
    fn a_condition_that_does_not_hold_is_known_by_status_or_code() {
        for (status, code) in [
            (412, Some("PreconditionFailed")),
            (412, None),
            (412, Some("Other")),
            (200, Some("PreconditionFailed")),
        ] {
            assert_eq!(refused(status, code), Some(ConditionalError::ConditionFailed), "{status} {code:?}");
        }
    }

    #[test]
    fn a_write_that_meets_another_one_is_known_by_status_or_code() {
        for (status, code) in [
            (409, Some("ConditionalRequestConflict")),
            (409, Some("OperationAborted")),
            (409, None),
            (200, Some("ConditionalRequestConflict")),
        ] {
            assert_eq!(refused(status, code), Some(ConditionalError::Conflict), "{status} {code:?}");
        }
    }

    #[test]
    fn an_upload_that_has_ended_is_known_by_its_code() {
        assert_eq!(refused(404, Some("NoSuchUpload")), Some(ConditionalError::UploadEnded));
    }

    #[test]
    fn other_errors_are_none_of_these() {
        for (status, code) in [
            (404, Some("NoSuchKey")),
            (404, None),
            (403, Some("AccessDenied")),
            (503, Some("SlowDown")),
            (200, None),
        ] {
            assert_eq!(refused(status, code), None, "{status} {code:?}");
        }
        let unsent = SdkError::<ErrorMetadata, HttpResponse>::timeout_error("no response");
        assert_eq!(conditional_error(&unsent), None);
    }
}
