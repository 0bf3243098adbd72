//! A field of a request that is wrong, named by a JSON pointer (RFC 6901).

/// Which part of a request body is wrong, and how. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct FieldError {
    /// JSON pointer to the field; empty for the whole body.
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}

impl FieldError {
    /// The field at `pointer` is wrong.
    pub(crate) fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The pointer to member `name` of the object at `parent`.
pub(crate) fn member(parent: &str, name: &str) -> String {
    let escaped = name.replace('~', "~0").replace('/', "~1");
    format!("{parent}/{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_tildes_in_names_are_escaped() {
        assert_eq!(member("/payload", "a/b~c"), "/payload/a~1b~0c");
    }
}
