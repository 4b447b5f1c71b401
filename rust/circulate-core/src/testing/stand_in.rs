//! Servers that stand in for AWS. `make test-rust` starts them and names them in the environment.

use crate::aws::Aws;

/// AWS as the server called `name` plays it: `MINISTACK`, `MOTO`, `S3S`, or the proxy `MICROBURST`.
pub(crate) async fn stand_in(name: &str) -> Aws {
    Aws::at(&url(name)).await.unwrap()
}

/// Where the server is.
pub(crate) fn url(name: &str) -> String {
    std::env::var(format!("CIRCULATE_TEST_{name}")).expect("`make test-rust` starts the stand-ins for AWS")
}

/// Makes a secret in Secrets Manager, or gives it another text.
pub(crate) async fn put_secret(name: &str, text: &str) -> Aws {
    let aws = stand_in("MINISTACK").await;
    crate::secrets::put_secret(&aws, name, text).await;
    aws
}
