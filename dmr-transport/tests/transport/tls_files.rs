//! TLS settings from files: what is refused, and that the error names the file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use dmr_transport::tls::{Roots, TlsError, client_config, server_config};

use crate::network::{Authority, write_key};

#[test]
fn tls_is_1_3_with_http_1_1_and_no_early_data() {
    let authority = Authority::shared();
    let (client, server) = (authority.client(), authority.server());
    assert_eq!(client.alpn_protocols, [b"http/1.1"]);
    assert_eq!(server.alpn_protocols, [b"http/1.1"]);
    assert!(!client.enable_early_data);
    assert_eq!(server.max_early_data_size, 0);
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let authority = Authority::new();
    let (certificate, key) = (authority.file("server.pem"), authority.file("server.key"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = server_config(&certificate, &key).unwrap_err();
    assert!(matches!(&refused, TlsError::KeyExposed { file, mode: 0o640 } if *file == key), "{refused}");
}

#[test]
fn a_file_that_is_missing_empty_or_something_else_is_named() {
    let authority = Authority::new();
    let (certificate, key) = (authority.file("server.pem"), authority.file("server.key"));
    let (missing, empty, odd) = (authority.file("missing"), authority.file("empty"), authority.file("odd"));
    fs::write(&empty, "").unwrap();
    fs::write(&odd, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    for (file, error) in [
        (&missing, server_config(&missing, &key).unwrap_err()),
        (&empty, server_config(&empty, &key).unwrap_err()),
        (&odd, server_config(&odd, &key).unwrap_err()),
        (&key, server_config(&key, &key).unwrap_err()),
        (&missing, server_config(&certificate, &missing).unwrap_err()),
        (&missing, client_config(&Roots::File(missing.clone())).unwrap_err()),
        (&odd, client_config(&Roots::File(odd.clone())).unwrap_err()),
    ] {
        assert!(error.to_string().starts_with(&file.display().to_string()), "{error}");
    }
    let nothing = authority.file("nothing.key");
    write_key(&nothing, "no key");
    assert!(matches!(server_config(&certificate, &nothing), Err(TlsError::Key { file }) if file == nothing));
    let long = authority.file("long");
    fs::write(&long, vec![b'x'; (1 << 20) + 1]).unwrap();
    assert!(matches!(server_config(&long, &key), Err(TlsError::TooLong { file }) if file == long));
}

#[test]
fn a_certificate_and_a_key_that_do_not_belong_together_are_refused() {
    let (one, other) = (Authority::shared(), Authority::new());
    let refused = server_config(&one.file("server.pem"), &other.file("server.key"));
    assert!(matches!(refused, Err(TlsError::Refused(_))), "{refused:?}");
}
