//! Which files of a folder are source files, and of which sources.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use crate::{diag::did_you_mean, event::SourceName};

/// The source files at a path: itself, or those of a folder, by name. Hidden files and other endings are left out.
///
/// # Errors
/// The path cannot be read.
pub fn find_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let is_yaml = matches!(
            file.extension().and_then(|ending| ending.to_str()),
            Some("yaml" | "yml")
        );
        // A link that leads nowhere is a file that cannot be read, and is reported as that.
        let is_folder = std::fs::metadata(&file).is_ok_and(|metadata| metadata.is_dir());
        if is_yaml && !name.starts_with('.') && !is_folder {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether the file's name ends as a source file's must, so that no two files can claim one address.
pub(super) fn is_source_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml")
}

/// The source that a file is, as far as its name gives one.
pub(super) fn name_of(path: &Path) -> Option<SourceName> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.and_then(|stem| stem.parse().ok())
        .filter(|_| is_source_file(path))
}

/// The sources of a folder, by the names of its files, whatever is in them.
///
/// # Errors
/// The folder cannot be read.
pub fn names_in(folder: &Path) -> io::Result<BTreeSet<SourceName>> {
    let files = find_files(folder)?;
    Ok(files.iter().filter_map(|file| name_of(file)).collect())
}

/// Of those under `notify.silent` the ones that no source has, one line each: nobody would be told of their silence.
pub fn unknown_silence<'s>(
    watched: impl IntoIterator<Item = &'s SourceName>,
    known: &BTreeSet<SourceName>,
) -> Vec<String> {
    let unknown = watched.into_iter().filter(|name| !known.contains(name));
    let lines = unknown.map(|name| {
        let help = did_you_mean(name.as_str(), known.iter().map(SourceName::as_str));
        let help = help.unwrap_or_else(|| "it takes the names of source files".to_owned());
        format!("`notify.silent` names `{name}`, and there is no such source, so nobody is told of its silence; {help}")
    });
    lines.collect()
}
