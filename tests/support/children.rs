//! Processes that end with the test, however that ends.

use std::{
    ffi::OsStr,
    io,
    process::{Child, Command},
    sync::{LazyLock, mpsc},
};

type Wish = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The system ends a child with the *thread* that began it, and threads of a test come and go: this one stays.
static BEGINNER: LazyLock<mpsc::Sender<Wish>> = LazyLock::new(|| {
    let (sender, wishes) = mpsc::channel::<Wish>();
    std::thread::spawn(move || {
        for (mut command, answer) in wishes {
            answer.send(command.spawn()).unwrap();
        }
    });
    sender
});

/// A command of a program that is killed when this process is gone, where the system can do that; for [`spawn`]. What runs is the
/// program itself, under the same number.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    // Of util-linux.
    let setpriv = "/usr/bin/setpriv";
    if !std::path::Path::new(setpriv).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Begins a command of [`command`].
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, begun) = mpsc::sync_channel(1);
    BEGINNER.send((command, answer)).unwrap();
    begun.recv().unwrap()
}
