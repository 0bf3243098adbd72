//! A certificate authority of our own, for links over TLS on loopback.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::failure::{Doing, Outcome};
use crate::network::Network;

/// Where the files are.
#[derive(Debug)]
pub struct Certificates {
    /// The authority's certificate, for `--tls-ca`.
    pub authority: PathBuf,
    /// The server's certificate, for `--tls-cert`.
    pub certificate: PathBuf,
    /// The server's secret key, for `--tls-key`.
    pub key: PathBuf,
}

/// Makes an authority, and a certificate for `localhost` and `127.0.0.1` under it, among the network's files.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when they cannot be made or written.
pub fn certificates(network: &Network) -> Outcome<Certificates> {
    let mut authority = CertificateParams::new(Vec::new()).doing("an authority")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL takes a certificate whose issuer has its own name for a self-signed one.
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority_key = KeyPair::generate().doing("an authority's key")?;
    let authority_certificate = authority.self_signed(&authority_key).doing("an authority's certificate")?;
    let issuer = Issuer::new(authority, authority_key);

    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server_key = KeyPair::generate().doing("a server's key")?;
    let server = CertificateParams::new(names).doing("a server's certificate")?;
    let server_certificate = server.signed_by(&server_key, &issuer).doing("a server's certificate")?;

    let files = Certificates {
        authority: network.path("ca.pem"),
        certificate: network.path("server.pem"),
        key: network.path("server.key"),
    };
    let contents = [
        (&files.authority, authority_certificate.pem()),
        (&files.certificate, server_certificate.pem()),
        (&files.key, server_key.serialize_pem()),
    ];
    for (path, pem) in contents {
        std::fs::write(path, pem).doing(path.display())?;
    }
    restrict(&files.key)?;
    Ok(files)
}

/// Lets only the owner read the file, as secret files must be.
fn restrict(path: &std::path::Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).doing(path.display())
}
