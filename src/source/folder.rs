//! Which files of a folder are source files.

use std::{
    io,
    path::{Path, PathBuf},
};

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
