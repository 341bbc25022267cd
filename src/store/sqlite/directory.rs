//! The data directory: made for its owner only, held by one process, and looked at for the kind of disk it is on.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use super::open::OpenError;

pub(super) const DATABASE: &str = "gateway.db";
const LOCK: &str = "gateway.lock";

/// A data directory that this process holds alone, until it is dropped.
#[derive(Debug)]
pub(super) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory and the database file where they are missing, and takes the lock.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |what: &'static str| {
            let path = path.to_owned();
            move |source: io::Error| OpenError::Directory { what, path, source }
        };
        // An absolute path: it stays right when the process changes its directory, and cannot look like a URI.
        let path = std::path::absolute(path).map_err(failed("find"))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(failed("make"))?;
        let lock = private_file(&path.join(LOCK)).map_err(failed("make a lock file in"))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(OpenError::Held { path }),
            Err(errno) => return Err(failed("lock")(errno.into())),
        }
        let this = Self { path, _lock: lock };
        // SQLite would make it readable for others; its journals take the rights of the file.
        private_file(&this.database()).map_err(failed("make the database file in"))?;
        // What was just made must be found again after a power cut, before anything in it is promised.
        File::open(this.path())
            .and_then(|directory| directory.sync_all())
            .map_err(failed("sync"))?;
        // A parent that may be passed but not read was not made here.
        if let Some(parent) = this.path().parent().and_then(|path| File::open(path).ok()) {
            parent.sync_all().map_err(failed("sync the parent of"))?;
        }
        Ok(this)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// What the operator should know about where the data lies; whole sentences.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for path in [self.path.clone(), self.database()] {
            let mode = fs::metadata(&path).map_or(0, |about| about.permissions().mode());
            if mode & 0o077 != 0 {
                warnings.push(format!(
                    "{} can be opened by other users of this machine (mode {:03o}) and holds personal data; \
                     take their rights away with `chmod go-rwx`.",
                    path.display(),
                    mode & 0o777,
                ));
            }
        }
        warnings.extend(disk_warning(&self.path));
        warnings
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(target_os = "linux")]
fn disk_warning(path: &Path) -> Option<String> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    let trouble = kind_of_disk(u64::try_from(kind).ok()? & 0xffff_ffff)?;
    Some(format!("{} is on {trouble}", path.display()))
}

#[cfg(not(target_os = "linux"))]
fn disk_warning(_path: &Path) -> Option<String> {
    None
}

/// What is wrong with a file system, by its number in statfs(2).
#[cfg(target_os = "linux")]
fn kind_of_disk(magic: u64) -> Option<&'static str> {
    match magic {
        // NFS, SMB, CIFS, SMB2, 9P, Ceph, AFS, Lustre.
        0x6969 | 0x517b | 0xff53_4d42 | 0xfe53_4d42 | 0x0102_1997 | 0x00c3_6400 | 0x5346_414f
        | 0x0bd0_0bd0 => Some(
            "a network file system, where SQLite cannot keep its promises: use a local disk, or PostgreSQL.",
        ),
        // FUSE.
        0x6573_5546 => Some(
            "a file system in user space (FUSE), which may not keep what it says is written: use a local disk.",
        ),
        // tmpfs, ramfs.
        0x0102_1994 | 0x8584_58f6 => {
            Some("a file system in memory: everything is lost when the machine stops.")
        }
        // overlayfs.
        0x794c_7630 => {
            Some("a container's own layer and is lost with the container: mount a volume there.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_it_makes_is_for_its_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::take(&parent.path().join("a/b")).unwrap();
        assert_eq!(mode(directory.path()), 0o700);
        assert_eq!(mode(&directory.database()), 0o600);
        assert_eq!(mode(&directory.path().join(LOCK)), 0o600);
    }

    #[test]
    fn rights_of_others_are_warned_about() {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDirectory::take(&parent.path().join("data")).unwrap();
        let about_rights = |directory: &DataDirectory| {
            let warnings = directory.warnings();
            warnings
                .iter()
                .filter(|text| text.contains("chmod"))
                .count()
        };
        assert_eq!(about_rights(&directory), 0);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(about_rights(&directory), 1);
    }

    #[test]
    fn a_directory_is_held_once_and_free_again_after_its_holder() {
        let parent = tempfile::tempdir().unwrap();
        let holder = DataDirectory::take(parent.path()).unwrap();
        let refused = DataDirectory::take(parent.path()).unwrap_err();
        assert!(matches!(refused, OpenError::Held { .. }), "{refused}");
        assert!(
            refused
                .to_string()
                .contains(&*parent.path().to_string_lossy())
        );
        drop(holder);
        DataDirectory::take(parent.path()).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn disks_that_lose_data_are_told_from_local_ones() {
        assert!(kind_of_disk(0x6969).unwrap().contains("network"));
        assert!(kind_of_disk(0x0102_1994).unwrap().contains("memory"));
        assert_eq!(kind_of_disk(0xef53), None, "ext4");
        assert_eq!(kind_of_disk(0x5846_5342), None, "XFS");
    }
}
