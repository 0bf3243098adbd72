//! Files that survive a crash, and files that hold secrets. All functions block.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Why a file could not be read or written. Never shows what it holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFileError {
    /// The system refused.
    #[error("{}: {error}", file.display())]
    Io {
        /// Which file.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is longer than it may be.
    #[error("{}: longer than {limit} bytes", file.display())]
    TooLong {
        /// Which file.
        file: PathBuf,
        /// Bytes allowed.
        limit: usize,
    },
    /// A secret that others than its owner can read or change.
    #[error("{}: mode {mode:o} lets others read this secret; chmod 600 it", file.display())]
    Exposed {
        /// Which file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Replaces a file's content: after a crash it has the old content or the new, never a mixture. One writer at a time.
///
/// # Errors
/// [`StateFileError::Io`]; the old content stands then.
pub fn replace(file: &Path, bytes: &[u8]) -> Result<(), StateFileError> {
    replace_with(file, bytes, false)
}

/// [`replace`], for a secret: the new file has mode 0600.
///
/// # Errors
/// [`StateFileError::Io`]; the old content stands then.
pub fn replace_secret(file: &Path, bytes: &[u8]) -> Result<(), StateFileError> {
    replace_with(file, bytes, true)
}

/// Writes a new secret with mode 0600. Never overwrites.
///
/// # Errors
/// [`StateFileError::Io`], with [`io::ErrorKind::AlreadyExists`] when the file is there.
pub fn create_secret(file: &Path, bytes: &[u8]) -> Result<(), StateFileError> {
    let written = create(file, true).and_then(|mut new| {
        // A half-written secret is no secret: better none.
        write(&mut new, bytes).inspect_err(|_| drop(fs::remove_file(file)))
    });
    written.and_then(|()| sync_directory(file)).map_err(failed(file))
}

/// A file's content, or nothing where there is no such file.
///
/// # Errors
/// [`StateFileError`], also when it is longer than `limit` bytes.
pub fn read(file: &Path, limit: usize) -> Result<Option<Vec<u8>>, StateFileError> {
    match File::open(file) {
        Ok(open) => read_open(open, file, limit).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file)(error)),
    }
}

/// A secret's content.
///
/// # Errors
/// [`StateFileError`], also when others than its owner can read or change it, or it is longer than `limit` bytes.
pub fn read_secret(file: &Path, limit: usize) -> Result<Vec<u8>, StateFileError> {
    let open = File::open(file).map_err(failed(file))?;
    // Of the open file, so that no other can take its place between the look and the reading.
    refuse_exposed(&open, file)?;
    read_open(open, file, limit)
}

fn read_open(open: File, file: &Path, limit: usize) -> Result<Vec<u8>, StateFileError> {
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    open.take(bound).read_to_end(&mut bytes).map_err(failed(file))?;
    if bytes.len() > limit {
        return Err(StateFileError::TooLong { file: file.to_owned(), limit });
    }
    Ok(bytes)
}

fn replace_with(file: &Path, bytes: &[u8], secret: bool) -> Result<(), StateFileError> {
    let name = file.file_name().ok_or_else(|| failed(file)(io::ErrorKind::InvalidInput.into()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let new = file.with_file_name(hidden);
    // What a crash left behind.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&new)(error)),
        _ => {}
    }
    create(&new, secret).and_then(|mut open| write(&mut open, bytes)).map_err(failed(&new))?;
    fs::rename(&new, file).and_then(|()| sync_directory(file)).map_err(failed(file))
}

fn write(open: &mut File, bytes: &[u8]) -> io::Result<()> {
    open.write_all(bytes)?;
    open.sync_all()
}

fn failed(file: &Path) -> impl Fn(io::Error) -> StateFileError {
    move |error| StateFileError::Io { file: file.to_owned(), error }
}

#[cfg(unix)]
fn create(file: &Path, secret: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if secret { 0o600 } else { 0o644 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(file)
}

#[cfg(not(unix))]
fn create(file: &Path, _secret: bool) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(file)
}

/// The name of a new file lasts only once its directory is on disk.
#[cfg(unix)]
fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(not(unix))]
fn sync_directory(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_exposed(open: &File, file: &Path) -> Result<(), StateFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = open.metadata().map_err(failed(file))?.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(StateFileError::Exposed { file: file.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_open: &File, _file: &Path) -> Result<(), StateFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_the_new_content_and_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("directory.jws");
        assert_eq!(read(&file, 10).unwrap(), None);
        fs::write(home.path().join(".directory.jws.new"), "left by a crash").unwrap();
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(read(&file, 3).unwrap(), Some(b"two".to_vec()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_longer_than_its_bound_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("long");
        replace(&file, &[0; 11]).unwrap();
        assert!(matches!(read(&file, 10), Err(StateFileError::TooLong { limit: 10, .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owners_alone_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("key");
        create_secret(&file, b"secret").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_secret(&file, 6).unwrap(), b"secret");
        let again = create_secret(&file, b"other").unwrap_err();
        assert!(matches!(again, StateFileError::Io { error, .. } if error.kind() == io::ErrorKind::AlreadyExists));
        for mode in [0o640, 0o604, 0o620, 0o602, 0o601] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read_secret(&file, 6), Err(StateFileError::Exposed { mode: seen, .. }) if seen == mode));
        }
        replace_secret(&file, b"newer").unwrap();
        assert_eq!(read_secret(&file, 6).unwrap(), b"newer");
    }
}
