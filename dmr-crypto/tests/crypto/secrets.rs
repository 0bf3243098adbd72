//! Secrets do not show: `Debug` of every type that bears one prints ids only, and no error quotes a key file.

use dmr_core::header::Suite;
use dmr_crypto::{IdentitySecret, KeyFileError, Keyring, SealingSecret, ServerKeys, authority, open};

use crate::world::{NOW, VALID_FOR, VALIDITY, World, authority_key, content, key_file, keyring, name, sealed, seed};

/// Every form in which 32 bytes could be shown.
fn forms(secret: &[u8; 32]) -> Vec<String> {
    use base64ct::Encoding;
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<String> = secret.iter().take(8).map(u8::to_string).collect();
    vec![
        hex[..16].to_owned(),
        hex[..16].to_uppercase(),
        list.join(", "),
        list.join(","),
        base64ct::Base64UrlUnpadded::encode_string(secret)[..16].to_owned(),
        base64ct::Base64::encode_string(secret)[..16].to_owned(),
    ]
}

fn assert_redacted(shown: &str, secret: &[u8; 32]) {
    for form in forms(secret) {
        assert!(!shown.contains(&form), "{form} in {shown}");
    }
}

#[test]
fn the_search_would_find_a_secret_that_shows() {
    let secret = seed("x");
    let shown = format!("{secret:?}");
    assert!(forms(&secret).iter().any(|form| shown.contains(form)));
}

#[test]
fn an_identity_secret_shows_its_id_only() {
    let secret = IdentitySecret::from_seed(&seed("tax identity"));
    for shown in [format!("{secret:?}"), format!("{secret:#?}")] {
        assert_eq!(shown, format!("IdentitySecret({})", secret.id()));
        assert_redacted(&shown, &seed("tax identity"));
    }
}

#[test]
fn a_sealing_secret_shows_its_id_only() {
    let keyring = keyring("tax", Suite::XWing);
    for (secret, label) in keyring.sealing().iter().zip(["tax sealing 1", "tax sealing 2"]) {
        let shown = format!("{secret:#?}");
        assert_eq!(shown, format!("SealingSecret({})", secret.id()));
        assert_redacted(&shown, &seed(label));
    }
    let fresh = SealingSecret::generate(Suite::X25519, VALIDITY).unwrap();
    assert_eq!(format!("{fresh:?}"), format!("SealingSecret({})", fresh.id()));
}

#[test]
fn a_keyring_shows_ids_only() {
    let keyring = keyring("tax", Suite::XWing);
    for shown in [format!("{keyring:?}"), format!("{keyring:#?}")] {
        assert!(shown.contains("tax") && shown.contains(&keyring.sealing()[0].id().to_string()));
        for label in ["tax identity", "tax sealing 1", "tax sealing 2"] {
            assert_redacted(&shown, &seed(label));
        }
    }
}

#[test]
fn server_keys_and_authority_keys_show_ids_only() {
    let file = key_file("x", &[1], VALIDITY);
    assert!(file.contains("seed"), "the file itself does hold the seed");
    let server = ServerKeys::generate(name("relay"), VALIDITY).unwrap();
    let text = String::from_utf8(server.to_key_file().unwrap().to_vec()).unwrap();
    let seed_text = text.split('"').find(|part| part.len() == 43).unwrap();
    for shown in [format!("{server:?}"), format!("{server:#?}")] {
        assert!(shown.contains(&server.key().to_string()));
        assert!(!shown.contains(seed_text));
    }
    for kind in ["root", "directory"] {
        let key = authority_key(kind);
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.id().to_string()));
        assert_redacted(&shown, &seed(&format!("{kind} key")));
    }
    let founding = authority::found(name("test"), NOW, VALID_FOR).unwrap();
    let text = String::from_utf8(founding.root_key.to_key_file().unwrap().to_vec()).unwrap();
    let seed_text = text.split('"').find(|part| part.len() == 43).unwrap();
    assert!(!format!("{founding:?}").contains(seed_text));
}

#[test]
fn the_text_of_a_key_file_shows_its_length_only() {
    let texts = [
        keyring("tax", Suite::XWing).to_key_file().unwrap(),
        ServerKeys::generate(name("relay"), VALIDITY).unwrap().to_key_file().unwrap(),
        authority_key("root").to_key_file().unwrap(),
    ];
    for text in texts {
        for shown in [format!("{text:?}"), format!("{text:#?}")] {
            assert_eq!(shown, format!("KeyFileText([{} bytes])", text.len()));
        }
    }
}

#[test]
fn a_rotation_shows_ids_only() {
    let (root, directory) = (authority_key("root"), authority_key("directory"));
    let rotation =
        authority::Rotation { signers: &[&root], root_keys: &[&root], threshold: 1, directory_keys: &[&directory] };
    let shown = format!("{rotation:?}");
    assert!(shown.contains(&root.id().to_string()) && shown.contains(&directory.id().to_string()));
    assert_redacted(&shown, &seed("root key"));
    assert_redacted(&shown, &seed("directory key"));
}

#[test]
fn what_is_sealed_and_opened_shows_nothing_of_the_content() {
    let world = World::of(&["tax", "police"], Suite::X25519);
    let (tax, police) = (keyring("tax", Suite::X25519), keyring("police", Suite::X25519));
    let canary = "canary: is the passport ready?";
    let sealed = sealed(&world, &tax, &["police"], canary);
    let opened = open(&police, &world.directory, &sealed.envelope, NOW).unwrap();
    let list: Vec<String> = canary.bytes().take(8).map(|byte| byte.to_string()).collect();
    for shown in [format!("{sealed:?}"), format!("{opened:?}"), format!("{:#?}", opened.content)] {
        assert!(!shown.contains("canary") && !shown.contains(&list.join(", ")), "{shown}");
    }
    assert_eq!(opened.content, content(canary), "the content itself does hold it");
}

#[test]
fn a_keyring_survives_its_key_file() {
    let keyring = keyring("tax", Suite::XWing);
    let again = Keyring::from_key_file(&keyring.to_key_file().unwrap()).unwrap();
    assert_eq!(again.card(), keyring.card());
    assert_eq!(*again.to_key_file().unwrap(), *keyring.to_key_file().unwrap());
    let server = ServerKeys::generate(name("relay"), VALIDITY).unwrap();
    let again = ServerKeys::from_key_file(&server.to_key_file().unwrap()).unwrap();
    assert_eq!(again.card(), server.card());
}

#[test]
fn a_wrong_key_file_is_refused_without_being_quoted() {
    let good = key_file("tax", &[1, 2], VALIDITY);
    let secret = seed("tax identity");
    let encoded = {
        use base64ct::Encoding;
        base64ct::Base64UrlUnpadded::encode_string(&secret)
    };
    let wrong = [
        good.replace("\"seed\"", "\"sead\""),
        good.replace(&format!("\"seed\":\"{encoded}\""), &format!("\"{encoded}\":1")),
        good.replace("[\"sign\",\"login\"]", &format!("\"{encoded}\"")),
        good.replace(&encoded, &encoded[1..]),
        good.replace("\"name\":\"tax\"", &format!("\"name\":\"{encoded}\"")),
        good.replacen("\"version\":1", "\"version\":1,\"version\":1", 1),
        good.replace(&encoded, &format!("\\u0041{}", &encoded[1..])),
        format!("{good} {encoded}"),
        good[..good.len() - 1].to_owned(),
    ];
    for (number, text) in wrong.iter().enumerate() {
        let error = Keyring::from_key_file(text.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyFileError::Malformed { .. }), "case {number}: {error:?}");
        assert_redacted(&format!("{error} {error:?}"), &secret);
    }
    let refused = |text: String| Keyring::from_key_file(text.as_bytes()).unwrap_err();
    assert_eq!(refused(good.replace("\"version\":1", "\"version\":2")), KeyFileError::UnknownVersion { version: 2 });
    assert_eq!(refused(good.replace("participant", "server")), KeyFileError::WrongKind);
    assert_eq!(refused(key_file("tax", &[], VALIDITY)), KeyFileError::Keys);
    assert_eq!(refused(key_file("tax", &[1, 1], VALIDITY)), KeyFileError::Keys);
    assert_eq!(refused(" ".repeat(70_000)), KeyFileError::TooLong { len: 70_000 });
    let backwards = dmr_core::directory::Validity { not_before: NOW, not_after: NOW };
    assert_eq!(refused(key_file("tax", &[1], backwards)), KeyFileError::Keys);
}
