//! TLS settings from PEM files: TLS 1.3 only, cryptography by aws-lc-rs, ALPN `http/1.1`, no early data.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Largest certificate or key file, in bytes.
const FILE: u64 = 1 << 20;
const ALPN: &[u8] = b"http/1.1";

/// Why TLS could not be set up. Never shows what a key file holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{}: {error}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is longer than 1 MiB.
    #[error("{}: longer than 1 MiB", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
    },
    /// A file holds no PEM certificate, or a broken one.
    #[error("{}: no valid PEM certificate", file.display())]
    Certificate {
        /// Which file.
        file: PathBuf,
    },
    /// A file holds no PEM private key, or a broken one.
    #[error("{}: no valid PEM private key", file.display())]
    Key {
        /// Which file.
        file: PathBuf,
    },
    /// A key file can be read by others than its owner.
    #[error("{}: mode {mode:o} lets others read this key; chmod 600 it", file.display())]
    KeyExposed {
        /// Which file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system has no root certificates.
    #[error("the system has no root certificates: install ca-certificates or name a CA file")]
    NoSystemRoots,
    /// The certificate and the key do not belong together, or TLS refuses one of them.
    #[error("tls refuses the settings: {0}")]
    Refused(Box<str>),
}

/// Which certificate authorities a dialer trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the operating system.
    System,
    /// Those in this PEM file, and no others.
    File(PathBuf),
}

/// TLS for dialling.
///
/// # Errors
/// [`TlsError`], naming the file.
pub fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, TlsError> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(refused)?
        .with_root_certificates(store_of(roots)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// TLS towards a broker: the authorities, and a certificate chain with its key where the broker shall know this side by it.
///
/// # Errors
/// [`TlsError`], naming the file; also when others than its owner can read the key file.
#[cfg(feature = "amqp")]
pub fn broker_config(roots: &Roots, identity: Option<(&Path, &Path)>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(refused)?
        .with_root_certificates(store_of(roots)?);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(refused)?
        }
    };
    Ok(Arc::new(config))
}

/// TLS for accepting: a certificate chain, the server's own certificate first, and its key.
///
/// # Errors
/// [`TlsError`], naming the file; also when others than its owner can read the key file.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(certificate)?;
    let secret = private_key(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(refused)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(refused)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn store_of(roots: &Roots) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            // A system carries odd certificates that no chain needs; what counts is that some are good.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(TlsError::NoSystemRoots);
            }
        }
        Roots::File(file) => {
            for certificate in certificates(file)? {
                store.add(certificate).map_err(|_| TlsError::Certificate { file: file.clone() })?;
            }
        }
    }
    Ok(store)
}

fn refused(error: rustls::Error) -> TlsError {
    TlsError::Refused(error.to_string().into())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let broken = || TlsError::Certificate { file: file.to_owned() };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| broken())?;
    if chain.is_empty() { Err(broken()) } else { Ok(chain) }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    refuse_exposed(file)?;
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|_| TlsError::Key { file: file.to_owned() })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |error| TlsError::File { file: file.to_owned(), error };
    if fs::metadata(file).map_err(failed)?.len() > FILE {
        return Err(TlsError::TooLong { file: file.to_owned() });
    }
    fs::read(file).map_err(failed)
}

#[cfg(unix)]
fn refuse_exposed(file: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(file).map_err(|error| TlsError::File { file: file.to_owned(), error })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(TlsError::KeyExposed { file: file.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_file: &Path) -> Result<(), TlsError> {
    Ok(())
}
