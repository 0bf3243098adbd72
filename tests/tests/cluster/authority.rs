//! A certificate authority for the broker and those who log in to it by certificate.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

/// An authority, whose certificate is in a file.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) file: PathBuf,
}

/// A certificate and its key, in files.
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    /// A new one, called so.
    pub(crate) fn new(network: &Network, name: &str) -> Outcome<Self> {
        let mut authority = CertificateParams::new(Vec::new()).doing("an authority")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name = called(name);
        let key = KeyPair::generate().doing("an authority's key")?;
        let certificate = authority.self_signed(&key).doing("an authority's certificate")?;
        let file = network.path(&format!("{name}.pem"));
        std::fs::write(&file, certificate.pem()).doing(file.display())?;
        Ok(Self { issuer: Issuer::new(authority, key), file })
    }

    /// A certificate with this common name, for whoever is at this host.
    pub(crate) fn certify(&self, network: &Network, name: &str, host: &str) -> Outcome<Identity> {
        let key = KeyPair::generate().doing("a key")?;
        let mut subject = CertificateParams::new([host.to_owned()]).doing("a certificate")?;
        subject.distinguished_name = called(name);
        let certificate = subject.signed_by(&key, &self.issuer).doing("a certificate")?;
        let identity = Identity {
            certificate: network.path(&format!("{name}.cert.pem")),
            key: network.path(&format!("{name}.key.pem")),
        };
        std::fs::write(&identity.certificate, certificate.pem()).doing(identity.certificate.display())?;
        secret(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

/// Writes a file that its owner alone may read.
pub(crate) fn secret(path: &std::path::Path, text: &str) -> Outcome {
    std::fs::write(path, text).doing(path.display())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).doing(path.display())
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}
