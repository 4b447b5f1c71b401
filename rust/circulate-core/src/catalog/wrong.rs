//! What checks of a definition find.

/// Why a text is no path below a base URL, if it is none.
pub(super) fn wrong_path(path: &str) -> Option<String> {
    let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains(['?', '#']);
    (!is_path).then(|| format!("`{path}` is not a path: it starts with one `/` and holds no `?` or `#`"))
}

/// What is wrong with a definition that its types alone do not show.
pub(crate) struct Wrong {
    /// The member it is about, from the outermost in.
    pub(super) path: Vec<String>,
    pub(super) message: String,
}

impl Wrong {
    /// `path` is written with dots.
    pub(crate) fn at(path: &str, message: String) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), message }
    }

    /// The same, about a member of that one, whose name may have dots.
    pub(super) fn below(mut self, name: &str) -> Self {
        self.path.push(name.to_owned());
        self
    }
}
