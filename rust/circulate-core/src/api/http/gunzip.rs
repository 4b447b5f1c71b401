//! Bodies as they were before they were compressed.
//!
//! A gzip body may have several members, whose contents follow each other (RFC 1952, section 2.2). It counts only if all of
//! them are whole and nothing else follows.

use std::io::Write;

use bytes::{Bytes, BytesMut};
use flate2::write::GzDecoder;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::error::{Error, ErrorKind, Result};

type ByteStream = BoxStream<'static, Result<Bytes>>;

/// What is decompressed at a time: a thousand times as much may come of it.
const SLICE: usize = 4096;
/// Codings of a body: each of them is a stream around another, and who has a reason compresses twice at most.
const MAX_CODINGS: usize = 4;
/// How a member begins.
const MAGIC: u8 = 0x1f;
/// How a file of members begins.
const FILE_MAGIC: [u8; 2] = [MAGIC, 0x8b];

/// `body` without the codings that `headers` name (RFC 9110, section 8.4); the headers then speak of what is left. A coding that
/// was not requested is an error of the body, so that the status can still be reported.
pub(super) fn decoded(headers: &mut HeaderMap, body: ByteStream) -> ByteStream {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let text: Vec<_> = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).to_lowercase()).collect();
    let codings = text.iter().flat_map(|line| line.split(',')).map(str::trim);
    let codings: Vec<_> = codings.filter(|coding| !matches!(*coding, "" | "identity")).collect();
    if codings.is_empty() {
        return body;
    }
    if let Some(other) = codings.iter().find(|coding| !matches!(**coding, "gzip" | "x-gzip")) {
        let shown: String = other.chars().filter(char::is_ascii_graphic).take(40).collect();
        let message = format!("the response is in the encoding `{shown}`, which was not asked for");
        let error = Error::new(ErrorKind::Data, "read response", message)
            .hint("only gzip is asked for and read: the API, or something in between, must respect `Accept-Encoding`");
        return stream::iter([Err(error)]).boxed();
    }
    if codings.len() > MAX_CODINGS {
        let message = format!("the response is encoded {} times, one after the other", codings.len());
        return stream::iter([Err(Error::new(ErrorKind::Data, "read response", message))]).boxed();
    }
    let body = codings.iter().fold(body, |body, _| gunzip(body));
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    body
}

/// `body`, unpacked if it begins as a gzip file does: exports are sent as files, whatever the headers say.
pub(crate) async fn unpacked(mut body: ByteStream) -> Result<ByteStream> {
    let mut start = BytesMut::new();
    while start.len() < FILE_MAGIC.len()
        && let Some(piece) = body.next().await
    {
        start.extend_from_slice(&piece?);
    }
    let is_file = start.starts_with(&FILE_MAGIC);
    let body = stream::iter([Ok(start.freeze())]).chain(body).boxed();
    Ok(if is_file { gunzip(body) } else { body })
}

fn gunzip(body: ByteStream) -> ByteStream {
    let members = Members {
        body,
        piece: Bytes::new(),
        member: GzDecoder::new(Vec::new()),
        whole: 0,
        begun: false,
        ended: false,
    };
    let pieces = stream::try_unfold(members, |mut members| async move {
        let piece = members.next().await?;
        Ok(piece.map(|piece| (piece, members)))
    });
    pieces.boxed()
}

/// The members of a gzip body, one after the other.
struct Members {
    body: ByteStream,
    /// What has come and is still compressed.
    piece: Bytes,
    member: GzDecoder<Vec<u8>>,
    /// Members before it.
    whole: usize,
    /// Something of the member has come.
    begun: bool,
    ended: bool,
}

impl Members {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            if self.piece.is_empty() {
                match self.body.next().await {
                    Some(piece) => self.piece = piece?,
                    None => self.end()?,
                }
            }
            let slice = self.piece.split_to(self.piece.len().min(SLICE));
            self.feed(&slice)?;
            let out = std::mem::take(self.member.get_mut());
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
        Ok(None)
    }

    fn feed(&mut self, mut slice: &[u8]) -> Result<()> {
        while let Some(first) = slice.first() {
            // The rest of the header is read by the decoder, once it is there.
            if !std::mem::replace(&mut self.begun, true) && *first != MAGIC {
                return Err(self.corrupt());
            }
            let taken = self.member.write(slice).map_err(|_| self.corrupt())?;
            slice = &slice[taken..];
            // It takes nothing more once it is whole.
            if taken == 0 {
                self.finish_member()?;
            }
        }
        Ok(())
    }

    /// Checks the member's length and checksum.
    fn finish_member(&mut self) -> Result<()> {
        self.member.try_finish().map_err(|_| self.corrupt())?;
        let out = std::mem::take(self.member.get_mut());
        self.member = GzDecoder::new(out);
        self.whole += 1;
        self.begun = false;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        // No body at all is one without members.
        if self.begun {
            let cut = |_| {
                Error::new(ErrorKind::Network, "read response", "the gzip body ends too early").temporary()
            };
            self.member.try_finish().map_err(cut)?;
        }
        Ok(())
    }

    fn corrupt(&self) -> Error {
        let data = |message: &str| Error::new(ErrorKind::Data, "read response", message).once();
        if self.member.header().is_some() {
            let message = "the gzip body is corrupt";
            return Error::new(ErrorKind::Network, "read response", message).temporary();
        }
        match self.whole {
            0 => data("the body is not gzip, although its headers or its first bytes say so"),
            _ => data("something that is not gzip follows the gzip body"),
        }
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures_util::FutureExt;
    use futures_util::stream::TryStreamExt;
    use proptest::prelude::*;

    use super::*;
    use crate::error::Status;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(encoding: &str, body: &[u8], piece: usize) -> Result<Vec<u8>> {
        let mut headers = HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())]);
        let pieces: Vec<_> =
            body.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = decoded(&mut headers, stream::iter(pieces).boxed());
        let pieces: Vec<Bytes> = body.try_collect().now_or_never().unwrap()?;
        assert!(pieces.iter().all(|piece| piece.len() <= 1100 * SLICE), "memory is bounded");
        Ok(pieces.concat())
    }

    #[test]
    fn members_follow_each_other_as_one_body() {
        let body = [gzip(b"[1,"), gzip(b""), gzip(b"2]")].concat();
        for piece in [1, 7, 10_000] {
            for encoding in ["gzip", "x-gzip", " GZIP ", "identity, gzip,"] {
                assert_eq!(read(encoding, &body, piece).unwrap(), b"[1,2]", "{encoding} {piece}");
            }
        }
        assert_eq!(read("gzip, gzip", &gzip(&body), 3).unwrap(), b"[1,2]");
        assert_eq!(read("identity", b"[]", 3).unwrap(), b"[]");
        assert_eq!(read("gzip", b"", 3).unwrap(), b"", "no body");
    }

    #[test]
    fn what_is_not_whole_is_an_error_that_says_what_it_is() {
        let one = gzip(&b"[1,2,3]".repeat(100));
        let mut flipped = one.clone();
        let crc = flipped.len() - 6;
        flipped[crc] ^= 1;
        for (body, part, status) in [
            (one[..one.len() - 1].to_vec(), "ends too early", Status::Temporary),
            (one[..5].to_vec(), "ends too early", Status::Temporary),
            ([one.clone(), one[..20].to_vec()].concat(), "ends too early", Status::Temporary),
            (flipped, "", Status::Temporary),
            ([one.clone(), b"rubbish".to_vec()].concat(), "is not gzip follows", Status::Temporary),
            (b"[1,2,3,4,5,6]".to_vec(), "is not gzip, although", Status::Temporary),
        ] {
            let error = read("gzip", &body, 1000).unwrap_err();
            assert!(error.to_string().contains(part) && error.status() == status, "{part}: {error}");
        }
        for encoding in ["br", "deflate", "gzip, zstd", "\u{1b}[31m\u{e9}"] {
            let mut headers = HeaderMap::new();
            headers.insert(
                CONTENT_ENCODING,
                http::HeaderValue::from_bytes(encoding.replace('\u{1b}', "").as_bytes()).unwrap(),
            );
            let body = decoded(&mut headers, stream::empty().boxed());
            let error = body.try_collect::<Vec<_>>().now_or_never().unwrap().unwrap_err();
            assert!(error.to_string().contains("which was not asked for"), "{error}");
            assert_eq!(error.status(), Status::Permanent);
        }
    }

    #[test]
    fn codings_without_end_are_refused() {
        for codings in [5, 50_000] {
            let error = read(&vec!["gzip"; codings].join(","), b"", 3).unwrap_err();
            assert!(error.to_string().contains(&format!("encoded {codings} times")), "{error}");
        }
    }

    #[test]
    fn a_bomb_comes_in_small_pieces() {
        let zeros = vec![b' '; 50_000_000];
        assert_eq!(read("gzip", &gzip(&zeros), usize::MAX).unwrap().len(), zeros.len());
    }

    proptest! {
        #[test]
        fn any_cut_into_members_and_pieces_gives_the_same(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5), piece in 1usize..50,
        ) {
            let body: Vec<u8> = parts.iter().flat_map(|part| gzip(part)).collect();
            prop_assert_eq!(read("gzip", &body, piece).unwrap(), parts.concat());
            for cut in 1..body.len().min(40) {
                // At the end of a member the body is whole.
                if let Ok(read) = read("gzip", &body[..body.len() - cut], piece) {
                    prop_assert!(parts.concat().starts_with(&read) && parts.len() > 1);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read("gzip", &body, 17);
            let _ = read("gzip", &[&gzip(b"x")[..10], &body].concat(), 17);
        }
    }
}
