//! Logins and what surrounds them: for programs that own their link.

use dmr_core::frame::Challenge;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::limit;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::directory::Directory;
use super::error::{boundary, calmly};
use super::keys::Keys;
use super::value::{document, id, time, uuid};

/// Signs a login: the bytes of the server's challenge, and the encoded fields that answer it.
///
/// The newest login key that ``directory`` lists is used; without a directory, or where it lists none, the newest of the
/// keyring's. Returns the proof, 64 bytes.
///
/// Raises:
///     dmr.SendError: the keyring has no login key.
#[pyfunction]
#[pyo3(signature = (keys, challenge, fields, *, directory=None, now=None))]
pub(super) fn prove_login<'py>(
    py: Python<'py>,
    keys: &Bound<'py, Keys>,
    challenge: &Bound<'py, PyAny>,
    fields: &Bound<'py, PyAny>,
    directory: Option<&Bound<'py, Directory>>,
    now: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (keyring, now) = (&keys.get().keyring, time(now)?);
    let directory = directory.map(|directory| &directory.get().inner);
    let challenge = document(challenge, "challenge", limit::LOGIN_FRAME)?;
    let fields = document(fields, "fields", limit::LOGIN_FRAME)?;
    let proof = boundary(py, || {
        let listed = directory.and_then(|directory| keyring.login_key(directory, now).ok());
        let key = listed.or_else(|| keyring.any_login_key(now));
        let key = key.ok_or(dmr_core::exchange::LoginRefusal::NoLoginKey)?;
        Ok::<_, dmr_core::exchange::LoginRefusal>(dmr_crypto::prove_login(key, &challenge, &fields))
    })?;
    Ok(PyBytes::new(py, &proof))
}

/// Checks a login as a server does, and returns whose it is: the participant's id.
///
/// Raises:
///     dmr.VerifyError: the login is refused, and why.
///     dmr.InputError: the challenge or the fields cannot be decoded.
#[pyfunction]
#[pyo3(signature = (challenge, fields, proof, directory, *, now=None))]
pub(super) fn verify_login<'py>(
    py: Python<'py>,
    challenge: &Bound<'py, PyAny>,
    fields: &Bound<'py, PyAny>,
    proof: &Bound<'py, PyAny>,
    directory: &Bound<'py, Directory>,
    now: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (directory, now) = (&directory.get().inner, time(now)?);
    let challenge = document(challenge, "challenge", limit::LOGIN_FRAME)?;
    let fields = document(fields, "fields", limit::LOGIN_FRAME)?;
    let proof = document(proof, "proof", limit::LOGIN_FRAME)?;
    let auth = boundary(py, || dmr_crypto::verify_login(&challenge, &fields, &proof, directory, now))?;
    uuid(py, &auth.participant)
}

/// Checks that the server that signed a challenge is one of the directory's, where it lists servers. Returns its name.
///
/// Raises:
///     dmr.VerifyError: it does not prove its name.
///     dmr.InputError: the challenge cannot be decoded.
#[pyfunction]
#[pyo3(signature = (challenge, signature, directory, *, now=None))]
pub(super) fn verify_challenge<'py>(
    py: Python<'py>,
    challenge: &Bound<'py, PyAny>,
    signature: &Bound<'py, PyAny>,
    directory: &Bound<'py, Directory>,
    now: Option<&Bound<'py, PyAny>>,
) -> PyResult<String> {
    let (directory, now) = (&directory.get().inner, time(now)?);
    let challenge = document(challenge, "challenge", limit::LOGIN_FRAME)?;
    let signature = document(signature, "signature", limit::LOGIN_FRAME)?;
    let challenge: Challenge = boundary(py, || dmr_crypto::verify_challenge(&challenge, &signature, directory, now))?;
    Ok(challenge.server.as_str().to_owned())
}

/// The id of the answer that a participant gives to a question: the same however often it is given.
#[pyfunction]
pub(super) fn answer_id<'py>(
    py: Python<'py>,
    question: &Bound<'py, PyAny>,
    answering: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let (question, answering): (MessageId, ParticipantId) = (id(question)?, id(answering)?);
    let answer = calmly(py, || dmr_crypto::answer_id(question, answering))?;
    uuid(py, &answer)
}
