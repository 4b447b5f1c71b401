//! What comes over a real connection.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use futures_util::TryStreamExt;
use http::StatusCode;

use super::*;
use crate::error::Status;

/// A server that gives each connection these bytes and ends it; its address.
fn server(response: impl Into<Vec<u8>>) -> String {
    let (listener, response) = (TcpListener::bind(("127.0.0.1", 0)).unwrap(), response.into());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 1000]);
            // What begins TLS has no such end.
            while request.first() != Some(&22) && !request.windows(4).any(|four| four == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => request.extend_from_slice(&piece[..length]),
                }
            }
            let _ = stream.write_all(&response);
        }
    });
    format!("127.0.0.1:{}", address.port())
}

async fn get(url: &str) -> Result<(StatusCode, http::HeaderMap, Vec<u8>)> {
    let wire = ReqwestTransport::new(&Timeouts::default()).unwrap();
    let response = Transport::send(&wire, Request::get(url.parse().unwrap())).await?;
    let pieces: Vec<bytes::Bytes> = response.body.try_collect().await?;
    Ok((response.status, response.headers, pieces.concat()))
}

async fn refused(response: impl Into<Vec<u8>>) -> Error {
    get(&format!("http://{}/", server(response))).await.unwrap_err()
}

#[tokio::test]
async fn a_folded_header_line_is_read_as_one() {
    let response = b"HTTP/1.1 200 OK\r\nLink: </a>;\r\n rel=\"next\"\r\nContent-Length: 2\r\n\r\n[]";
    let (_, headers, body) = get(&format!("http://{}/", server(response))).await.unwrap();
    let link = headers["link"].to_str().unwrap();
    assert_eq!(
        (link.split_ascii_whitespace().collect::<Vec<_>>(), &body[..]),
        (vec!["</a>;", "rel=\"next\""], &b"[]"[..])
    );
}

#[tokio::test]
async fn a_header_that_is_not_http_is_reported_as_that_and_not_as_a_broken_connection() {
    for line in ["Set-Cookie: a=\u{1}b", "Set-Cookie: a=\u{7f}", "Bad Name: x", ": x", "no colon"] {
        let error = refused(format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\n[]")).await;
        assert!(error.to_string().contains("a header line of the response is not HTTP"), "{line}: {error}");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Data, Status::Permanent), "{line}");
        assert!(error.hint_text().unwrap().contains("curl"), "{error:?}");
    }
    let many = "X: y\r\n".repeat(200);
    let error = refused(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 2\r\n\r\n[]")).await;
    assert!(error.to_string().contains("more header lines"), "{error}");
}

#[tokio::test]
async fn what_is_not_http_at_all_is_reported() {
    let error = refused("SSH-2.0-OpenSSH_9.6\r\n").await;
    assert!(error.to_string().contains("the response is not HTTP"), "{error}");
    assert_eq!(error.status(), Status::Permanent);
}

#[tokio::test]
async fn a_connection_that_breaks_is_worth_another_try() {
    for response in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]"] {
        let error = refused(response).await;
        assert!(error.to_string().contains("the connection broke"), "{error}");
        assert_eq!(error.status(), Status::Temporary);
    }
}

#[tokio::test]
async fn a_plain_http_server_at_an_https_address_is_reported_at_once() {
    let error = get(&format!("https://{}/", server("HTTP/1.1 400 Bad Request\r\n\r\n"))).await.unwrap_err();
    assert!(error.to_string().contains("it does not speak TLS"), "{error}");
    assert_eq!(error.status(), Status::Permanent);
}

#[tokio::test]
async fn names_of_loopback_are_not_looked_up() {
    let port = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").split_once(':').unwrap().1.to_owned();
    for host in ["localhost", "a.b.localhost", "127.0.0.1"] {
        assert_eq!(get(&format!("http://{host}:{port}/")).await.unwrap().2, b"[]", "{host}");
    }
}

#[tokio::test]
async fn a_gzip_body_of_several_members_is_one() {
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let body = [gzip(b"[1,"), gzip(b"2]")].concat();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    let (_, headers, read) =
        get(&format!("http://{}/", server([head.into_bytes(), body].concat()))).await.unwrap();
    assert_eq!((&read[..], headers.contains_key("content-length")), (&b"[1,2]"[..], false));
}
