//! Compression of finished objects. The same body gives the same bytes, so that a retry writes what is there.

use std::fmt;
use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use libdeflater::{CompressionLvl, Compressor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// How objects are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip at level 6, without time or name in its header.
    #[default]
    Gzip,
    /// zstd at level 3, with a checksum.
    Zstd,
    /// None.
    None,
}

const GZIP_LEVEL: i32 = 6;
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    /// What it adds to an object's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
            Self::None => "",
        }
    }

    /// The `Content-Encoding` of an object.
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::None => None,
        }
    }

    /// Compresses a whole body.
    pub fn compress(self, body: Vec<u8>, scratch: &mut Scratch) -> Result<Vec<u8>> {
        match self {
            Self::Gzip => scratch.gzip(&body),
            Self::Zstd => zstd(&body).map_err(|error| failed("cannot compress the object").caused_by(error)),
            Self::None => Ok(body),
        }
    }

    /// Undoes [`compress`](Self::compress) for a body known to have `size` bytes, also of several bodies one after the other.
    pub fn decompress(self, stored: &[u8], size: usize) -> Result<Vec<u8>> {
        let body = match self {
            Self::Gzip => {
                let mut body = vec![0; size];
                let written = libdeflater::Decompressor::new()
                    .gzip_decompress(stored, &mut body)
                    .map_err(|error| broken().caused_by(error))?;
                if written < size {
                    // It is the first of several.
                    let mut rest = self.reader(stored)?.take(size as u64 + 1);
                    body.clear();
                    rest.read_to_end(&mut body).map_err(|error| broken().caused_by(error))?;
                }
                body
            }
            Self::Zstd => {
                ::zstd::bulk::decompress(stored, size).map_err(|error| broken().caused_by(error))?
            }
            Self::None => stored.to_vec(),
        };
        if body.len() == size { Ok(body) } else { Err(broken()) }
    }

    /// Undoes it bit by bit, for what is too large to be held.
    pub fn reader(self, stored: &[u8]) -> Result<Box<dyn BufRead + '_>> {
        Ok(match self {
            Self::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(stored))),
            Self::Zstd => {
                let decoder = ::zstd::stream::read::Decoder::with_buffer(stored);
                Box::new(BufReader::new(decoder.map_err(|error| broken().caused_by(error))?))
            }
            Self::None => Box::new(stored),
        })
    }
}

fn broken() -> Error {
    failed("the stored object cannot be decompressed to the size in its manifest")
}

/// What compression works with, for one body after the other: 2 MB and more that would otherwise be allocated for every
/// object, on whatever thread compresses it, and stay with the allocator of each of these threads.
#[derive(Default)]
pub struct Scratch {
    compressor: Option<Compressor>,
    room: Vec<u8>,
}

impl Scratch {
    fn gzip(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => {
                let level = CompressionLvl::new(GZIP_LEVEL)
                    .map_err(|_| failed("libdeflate does not know the gzip level"))?;
                none.insert(Compressor::new(level))
            }
        };
        let bound = compressor.gzip_compress_bound(body.len());
        if self.room.len() < bound {
            // Fresh zeros take no memory until they are written to, and few of them are: resizing would write to all.
            self.room = vec![0; bound];
        }
        let size = compressor
            .gzip_compress(body, &mut self.room)
            .map_err(|error| failed("cannot compress the object").caused_by(error))?;
        Ok(self.room[..size].to_vec())
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("room", &self.room.len()).finish_non_exhaustive()
    }
}

fn zstd(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = ::zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(body)
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Mismatch, "compress object", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_bodies_in_one_come_back_as_one() {
        let mut scratch = Scratch::default();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let bodies = [&b"one\n"[..], b"", b"three\n"];
            let stored: Vec<u8> = bodies
                .iter()
                .flat_map(|body| compression.compress(body.to_vec(), &mut scratch).unwrap())
                .collect();
            assert_eq!(compression.decompress(&stored, 10).unwrap(), bodies.concat());
            let mut read = Vec::new();
            compression.reader(&stored).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, bodies.concat());
            for size in [9, 11] {
                assert!(compression.decompress(&stored, size).is_err(), "{compression:?} {size}");
            }
            if compression != Compression::None {
                let cut = &stored[..stored.len() - 3];
                assert!(compression.decompress(cut, 10).is_err(), "{compression:?}");
                let mut reader = compression.reader(cut).unwrap();
                assert!(reader.read_to_end(&mut Vec::new()).is_err(), "{compression:?}");
            }
        }
    }

    #[test]
    fn bodies_come_back_and_gzip_has_a_fixed_header() {
        let body: Vec<u8> = (0..200_000u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
        let mut scratch = Scratch::default();
        for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let stored = compression.compress(body.clone(), &mut scratch).unwrap();
            assert_eq!(compression.decompress(&stored, body.len()).unwrap(), body);
            assert!(compression.decompress(&stored, body.len() - 1).is_err());
            assert_eq!(compression.compress(body.clone(), &mut scratch).unwrap(), stored);
            assert_eq!(compression.compress(body.clone(), &mut Scratch::default()).unwrap(), stored);
        }
        let gzip = Compression::Gzip.compress(body, &mut scratch).unwrap();
        assert_eq!(gzip[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "no flags, no name, mtime 0");
    }
}
