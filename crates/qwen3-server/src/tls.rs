//! Certificates.

use crate::listen::ListenError;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

impl Tls {
    /// A certificate (with those above it) and its key from PEM files.
    ///
    /// # Errors
    /// If a file can't be read, or the two don't belong together.
    pub fn from_pem(certificates: &Path, key: &Path) -> Result<Self, ListenError> {
        let bad = |path: &Path, expected, source| ListenError::Pem {
            path: path.to_owned(),
            expected,
            source,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificates)
            .and_then(Iterator::collect)
            .map_err(|source| bad(certificates, "certificate", source))?;
        let key =
            PrivateKeyDer::from_pem_file(key).map_err(|source| bad(key, "private key", source))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        let mut config = config.map_err(|source| ListenError::Certificate { source })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}
