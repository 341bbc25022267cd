//! `send --rate`: a whole file of events, one after the other.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::mpsc;

use super::{cannot_sign, screen::Screen};
use crate::{
    cli::{Exit, output},
    clock::Clock,
    config::parse_duration,
    lifecycle::Signals,
    sender::{Ended, Layout, Line, Lines, Load, LoadSettings, Rate, Refused, Sender, Sign, Step},
    source::Source,
};

/// Lines that are read ahead.
const READ_AHEAD: usize = 4;
/// Refused lines that are shown; all are counted, and written to `--failed`.
const MOST_SHOWN: u64 = 50;
/// How often it is shown how far it is.
const ON_TERMINAL: Duration = Duration::from_millis(500);
const IN_LOG: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "A file of events")]
pub(super) struct Arguments {
    /// Send every line of the file as an event of its own, so many in a second or minute, such as `20/s`. A file whose
    /// name ends in `.json` holds one list of events instead
    #[arg(long, value_name = "RATE", conflicts_with = "id")]
    rate: Option<Rate>,
    /// Begin with this line (in a list: this event)
    #[arg(long, value_name = "NUMBER", requires = "rate", default_value_t = 1)]
    from_line: u64,
    /// Requests at once; events of one customer are never sent at once
    #[arg(long, value_name = "NUMBER", requires = "rate", default_value_t = 4,
        value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Where to write the events that were refused, one for each line, to send them again when they are mended
    #[arg(long, value_name = "FILE", requires = "rate")]
    failed: Option<PathBuf>,
    /// How long to wait for a gateway that does not answer or cannot take more
    #[arg(long, value_name = "TIME", requires = "rate", default_value = "10m", value_parser = parse_duration)]
    retry_for: Duration,
}

impl Arguments {
    pub(super) const fn is_wanted(&self) -> bool {
        self.rate.is_some()
    }
}

pub(super) async fn run(arguments: super::Arguments, source: Arc<Source>, sign: Sign) -> Exit {
    let Some(rate) = arguments.load.rate else {
        return Exit::Usage;
    };
    let file = &arguments.file;
    let opened =
        open(file).and_then(|(reader, size)| Ok((reader, size, failed_file(&arguments.load)?)));
    let (reader, size, failed) = match opened {
        Ok(opened) => opened,
        Err(message) => {
            output::error(&message);
            return Exit::Unavailable;
        }
    };
    let (sender, mut signals) = match (Sender::new(), Signals::listen()) {
        (Ok(sender), Ok(signals)) => (sender, signals),
        (Err(error), _) => {
            output::error(&output::chain(&error));
            return Exit::Unavailable;
        }
        (_, Err(error)) => {
            output::error(&format!("cannot listen for signals: {error}"));
            return Exit::Internal;
        }
    };
    let is_list = file.extension().is_some_and(|ending| ending == "json");
    let layout = if is_list { Layout::List } else { Layout::Lines };
    let (lines, reading) = read(Lines::new(reader, layout));
    let settings = LoadSettings {
        gateway: arguments.url,
        // Each event is JSON, also where the file is lines of it.
        headers: arguments.head.headers(Path::new("event.json")),
        rate,
        in_flight: arguments.load.in_flight.into(),
        patience: arguments.load.retry_for,
        from_line: arguments.load.from_line,
    };
    let clock = Clock::system();
    let mut load = Load::new(lines, source, sign, sender, settings, clock.clone());
    let mut screen = Screen::new(clock.elapsed(), size);
    let mut refused = RefusedLines {
        shown: 0,
        failed,
        trouble: None,
    };
    let interval = if screen.is_terminal() {
        ON_TERMINAL
    } else {
        IN_LOG
    };
    let mut tick = tokio::time::interval(interval);
    // The first tick comes at once.
    tick.tick().await;
    let mut is_stopping = false;
    loop {
        tokio::select! {
            step = load.next() => match step {
                None => break,
                Some(Step::Done) => {}
                Some(Step::Refused(one)) => refused.tell(&one, &mut screen),
            },
            _ = tick.tick() => screen.progress(&load.figures(), load.held(), clock.elapsed()),
            _ = signals.next() => {
                if is_stopping {
                    break;
                }
                is_stopping = true;
                screen.say("stopping: waiting for the answers under way; once more stops at once");
                load.stop();
            }
        }
    }
    let is_whole = load.ended() == Ended::Whole;
    screen.summary(&load.figures(), clock.elapsed());
    refused.close(arguments.load.failed.as_deref());
    // A reader that waits for standard input is not waited for.
    let trouble = if is_whole {
        reading.await.ok().flatten()
    } else {
        None
    };
    let go_on = format!("go on with `--from-line {}`", load.first_open());
    if let Some(error) = trouble {
        output::error(&format!(
            "{} cannot be read to its end: {error}; {go_on}",
            file.display()
        ));
        return Exit::Unavailable;
    }
    match load.ended() {
        Ended::Whole if load.figures().refused == 0 && refused.trouble.is_none() => Exit::Fine,
        Ended::Whole => Exit::Bad,
        Ended::Stopped => {
            output::note(&format!("stopped; {go_on}"));
            Exit::Bad
        }
        Ended::NothingAccepted => {
            output::error(
                "nothing was accepted and the first lines were all refused, so the rest was not sent; see the reasons above",
            );
            Exit::Bad
        }
        Ended::Away(why) => {
            output::error(&format!("the gateway does not take events: {why}; {go_on}"));
            Exit::Unavailable
        }
        Ended::Unsigned(error) => cannot_sign(&error),
    }
}

/// A file's events, read on a thread of its own, and what hindered reading in the end.
fn read(
    lines: Lines<Box<dyn BufRead + Send>>,
) -> (
    mpsc::Receiver<Line>,
    tokio::task::JoinHandle<Option<io::Error>>,
) {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        for line in lines {
            match line {
                Err(error) => return Some(error),
                Ok(line) => {
                    if sender.blocking_send(line).is_err() {
                        return None;
                    }
                }
            }
        }
        None
    });
    (receiver, reading)
}

/// The file, or standard input for `-`; with its size where it has one.
fn open(file: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), String> {
    if file.as_os_str() == "-" {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let failed = |error: io::Error| format!("{} cannot be read: {error}", file.display());
    let opened = File::open(file).map_err(failed)?;
    let about = opened.metadata().map_err(failed)?;
    let size = about.is_file().then_some(about.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, opened)), size))
}

/// Makes the file for refused events; one that is there is not written over, since it may be what is sent.
fn failed_file(arguments: &Arguments) -> Result<Option<BufWriter<File>>, String> {
    let Some(path) = &arguments.failed else {
        return Ok(None);
    };
    let made = File::options().write(true).create_new(true).open(path);
    let made = made.map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
    Ok(Some(BufWriter::new(made)))
}

/// Tells of refused lines.
struct RefusedLines {
    shown: u64,
    failed: Option<BufWriter<File>>,
    /// Why not all of them are in the file.
    trouble: Option<io::Error>,
}

impl RefusedLines {
    fn tell(&mut self, refused: &Refused, screen: &mut Screen) {
        self.shown += 1;
        if self.shown <= MOST_SHOWN {
            screen.say(&format!("line {}: {}", refused.line, refused.reason));
        }
        if self.shown == MOST_SHOWN + 1 {
            screen.say("further refused lines are counted and not shown");
        }
        if let (Some(file), Some(body)) = (&mut self.failed, &refused.body) {
            // JSON may be written over several lines; outside of texts a line break is only space, and inside it cannot be.
            let mut line: Vec<u8> = body
                .iter()
                .map(|&byte| {
                    if byte == b'\n' || byte == b'\r' {
                        b' '
                    } else {
                        byte
                    }
                })
                .collect();
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                self.trouble.get_or_insert(error);
            }
        }
    }

    fn close(&mut self, path: Option<&Path>) {
        if let Some(mut file) = self.failed.take()
            && let Err(error) = file.flush()
        {
            self.trouble.get_or_insert(error);
        }
        if let (Some(error), Some(path)) = (&self.trouble, path) {
            output::error(&format!("{} is not complete: {error}", path.display()));
        }
    }
}
