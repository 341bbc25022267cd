//! Fields under numbers with gaps: PHP writes a list so once it has taken elements out of it, and others write ids so.
//! Nobody can tell the two apart, so paths may go on in both ways.

use super::Tree;

/// Values under numbers.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::mapping) struct Numbered<'a> {
    /// Numbers without sign and leading zeros, each once, by size.
    names: Vec<String>,
    /// One for each name.
    elements: Vec<Tree<'a>>,
}

impl<'a> Numbered<'a> {
    /// From names that all are a [`list_index`], each once and by size.
    pub(super) fn new(entries: impl Iterator<Item = (String, Tree<'a>)>) -> Self {
        let (names, elements) = entries.unzip();
        Self { names, elements }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree<'a>> {
        // Of two such numbers the longer one is larger.
        let by_size = |name: &String| (name.len(), name.as_str()).cmp(&(key.len(), key));
        let place = self.names.binary_search_by(by_size).ok()?;
        self.elements.get(place)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The values in the order of their numbers.
    pub(super) fn elements(&self) -> &[Tree<'a>] {
        &self.elements
    }

    pub(in crate::mapping) fn iter(&self) -> impl Iterator<Item = (&str, &Tree<'a>)> {
        self.names().zip(&self.elements)
    }

    pub(super) fn into_owned(self) -> Numbered<'static> {
        Numbered {
            names: self.names,
            elements: self.elements.into_iter().map(Tree::into_owned).collect(),
        }
    }
}

/// The number that a name spells without sign and leading zeros.
pub(in crate::mapping) fn list_index(name: &str) -> Option<usize> {
    let canonical =
        name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    canonical.then(|| name.parse().ok()).flatten()
}
