//! What pulling a list into gzip files costs at the very least: not an example of use but a lower bound for the
//! benchmark (`tests/bench`).
//!
//! One connection, five pages an object, compressed on all cores, nothing checked and nothing remembered: a page that ends early, a list that
//! runs in a circle or an error in the middle would all go unnoticed or end the program. Usage: `floor URL FOLDER`,
//! with the token in `OKTA_API_TOKEN`.

use std::error::Error;
use std::path::{Path, PathBuf};

use http::header::{AUTHORIZATION, HeaderMap, LINK};
use libdeflater::{CompressionLvl, Compressor};
use tokio::task::JoinSet;

const PAGES_PER_OBJECT: usize = 5;
const GZIP_LEVEL: i32 = 6;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [url, folder] =
        std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "floor URL FOLDER")?;
    let token = format!("SSWS {}", std::env::var("OKTA_API_TOKEN")?);
    let client = reqwest::Client::builder().build()?;
    std::fs::create_dir_all(&folder)?;

    let at_once = std::thread::available_parallelism()?.get();
    let mut writing = JoinSet::new();
    let (mut object, mut pages, mut objects) = (Vec::new(), 0, 0);
    let mut next = Some(url);
    while let Some(url) = next {
        let response = client.get(url).header(AUTHORIZATION, &token).send().await?.error_for_status()?;
        next = next_link(response.headers());
        let page = response.bytes().await?;
        object.push(if object.is_empty() { b'[' } else { b',' });
        object.extend_from_slice(&page[1..page.len() - 1]);
        pages += 1;
        if pages % PAGES_PER_OBJECT == 0 || next.is_none() {
            object.push(b']');
            if writing.len() == at_once {
                writing.join_next().await.transpose()?.transpose()?;
            }
            let path = Path::new(&folder).join(format!("{objects:08}.json.gz"));
            let full = std::mem::take(&mut object);
            writing.spawn_blocking(move || write(path, &full));
            objects += 1;
        }
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    Ok(())
}

/// The target of the first header line that says `rel="next"`.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all(LINK).iter().filter_map(|line| line.to_str().ok());
    let target = lines.find_map(|line| line.strip_suffix(r#">; rel="next""#))?;
    target.strip_prefix('<').map(str::to_owned)
}

fn write(path: PathBuf, object: &[u8]) -> std::io::Result<()> {
    let level = CompressionLvl::new(GZIP_LEVEL).map_err(|_| std::io::Error::other("no such gzip level"))?;
    let mut compressor = Compressor::new(level);
    let mut stored = vec![0; compressor.gzip_compress_bound(object.len())];
    let size = compressor.gzip_compress(object, &mut stored).map_err(std::io::Error::other)?;
    std::fs::write(path, &stored[..size])
}
