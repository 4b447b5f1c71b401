//! Which addresses stay on this machine, and what keeps TLS from being agreed on, in words.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use url::{Host, Url};

/// Whether what is sent to `url` stays on this machine, so that plain http shows it to nobody, and no proxy is used.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        // These names are never looked up elsewhere (RFC 6761, section 6.3).
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        None => false,
    }
}

/// A failure that will not go away by itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsTrouble {
    /// What is wrong with the server.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) hint: String,
}

/// What keeps TLS from being agreed on, if that is what `error` is about.
pub(crate) fn tls_trouble(error: &(dyn StdError + 'static)) -> Option<TlsTrouble> {
    in_words(find::<TlsError>(error)?)
}

/// The first error of this type among an error and its causes. An [`io::Error`] hides what it was made of from its causes.
pub(crate) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn StdError + 'static));
    inner.and_then(find).or_else(|| error.source().and_then(find))
}

fn in_words(error: &TlsError) -> Option<TlsTrouble> {
    use AlertDescription as Alert;
    let trouble = |what: &str, hint: &str| Some(TlsTrouble { what: what.to_owned(), hint: hint.to_owned() });
    match error {
        TlsError::InvalidCertificate(why) => Some(certificate(why)),
        TlsError::NoCertificatesPresented => trouble("it shows no certificate", "is the address right?"),
        TlsError::InvalidMessage(_) => trouble(
            "it does not speak TLS",
            "is it a plain-HTTP server? Use the address and port at which it serves https",
        ),
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(
            Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity,
        ) => trouble(
            "it has no version or cipher of TLS in common with us",
            "TLS 1.2 and 1.3 are spoken; the server, or a proxy in between, must offer one of them",
        ),
        TlsError::AlertReceived(Alert::UnrecognisedName) => {
            trouble("it serves no host of this name", "is the address right?")
        }
        TlsError::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => trouble("it wants a certificate from us", "client certificates are not supported"),
        _ => None,
    }
}

fn certificate(why: &CertificateError) -> TlsTrouble {
    use CertificateError as Why;
    let clock = "somebody must renew it there, unless this machine's clock is wrong";
    let (what, hint) = match why {
        Why::Expired | Why::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), clock.to_owned())
        }
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), clock.to_owned())
        }
        Why::UnknownIssuer => {
            ("its certificate is not from a CA that is trusted here".to_owned(), of_another_ca())
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => (
            "its certificate is for another host name".to_owned(),
            "use the name that the certificate is for; is the address right?".to_owned(),
        ),
        Why::Revoked => {
            ("its certificate has been revoked".to_owned(), "somebody must renew it there".to_owned())
        }
        other => (
            format!("its certificate is not valid: {}", in_one_line(&other.to_string())),
            "somebody must replace it there".to_owned(),
        ),
    };
    TlsTrouble { what, hint }
}

/// What to do where companies sign certificates themselves, or a proxy of theirs does.
fn of_another_ca() -> String {
    match std::env::var("SSL_CERT_FILE") {
        Ok(file) if !file.is_empty() => {
            format!("the file that SSL_CERT_FILE names, {file}, has to hold the certificate of that CA (PEM)")
        }
        _ => "set SSL_CERT_FILE to a PEM file with the certificate of your CA, if it is one of your own"
            .to_owned(),
    }
}

fn in_one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_all_its_forms() {
        let is_loopback = |host: &str| is_loopback(&format!("http://{host}/").parse().unwrap());
        for host in [
            "127.0.0.1",
            "127.9.9.9:80",
            "127.1",
            "[::1]:80",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LOCALHOST.",
            "a.b.localhost:8080",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "128.0.0.1",
            "0.0.0.0",
            "[::2]",
            "[::ffff:10.0.0.1]",
            "localhost.example",
            "mylocalhost",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_found_below_other_errors_and_put_into_words() {
        for (error, part) in [
            (TlsError::InvalidCertificate(CertificateError::Expired), "has expired"),
            (TlsError::InvalidCertificate(CertificateError::UnknownIssuer), "not from a CA"),
            (TlsError::InvalidCertificate(CertificateError::NotValidForName), "another host name"),
            (TlsError::InvalidCertificate(CertificateError::BadEncoding), "is not valid: "),
            (TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "does not speak TLS"),
            (TlsError::AlertReceived(AlertDescription::ProtocolVersion), "no version or cipher"),
            (TlsError::AlertReceived(AlertDescription::CertificateRequired), "a certificate from us"),
        ] {
            let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            let trouble = tls_trouble(&wrapped).unwrap();
            assert!(trouble.what.contains(part) && !trouble.hint.is_empty(), "{trouble:?}");
        }
        let passing = TlsError::AlertReceived(AlertDescription::InternalError);
        assert_eq!(tls_trouble(&passing), None);
        assert_eq!(tls_trouble(&io::Error::other("reset")), None);
    }
}
