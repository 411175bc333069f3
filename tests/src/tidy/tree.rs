//! The files of the tree: what is tracked, or would be.
//!
//! Absent on purpose: ignored files and what is not UTF-8.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// A text file.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root, with `/`.
    pub path: String,
    /// Content.
    pub text: String,
}

/// All text files below `root`.
///
/// # Errors
/// If a directory cannot be read.
pub fn files(root: &Path) -> io::Result<Vec<File>> {
    let names = match tracked(root) {
        Some(names) => names,
        None => walked(root)?,
    };
    let file = |path: String| {
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some(File { path, text })
    };
    Ok(names.into_iter().filter_map(file).collect())
}

/// What git knows, and new files that it does not ignore. `None` outside of a repository.
fn tracked(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let names: Vec<String> = names.split_terminator('\0').map(str::to_owned).collect();
    (output.status.success() && !names.is_empty()).then_some(names)
}

/// A source archive has no repository.
fn walked(root: &Path) -> io::Result<Vec<String>> {
    let (mut names, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let is_output = path.ends_with("target") || path.ends_with(".git");
            if !path.is_dir() {
                let name = path.strip_prefix(root).unwrap_or(&path);
                names.push(name.to_string_lossy().into_owned());
            } else if !is_output {
                directories.push(path);
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_walked() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("a/src")).unwrap();
        fs::create_dir_all(directory.path().join("target")).unwrap();
        fs::write(directory.path().join("a/src/lib.rs"), "text").unwrap();
        fs::write(directory.path().join("target/out.rs"), "text").unwrap();
        assert_eq!(walked(directory.path()).unwrap(), ["a/src/lib.rs"]);
    }
}
