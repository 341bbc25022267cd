//! Asking a person before something large or lasting is done.

use std::io::IsTerminal as _;

use super::{Exit, output};

/// Whether to go on.
///
/// # Errors
/// Nobody can be asked, and nobody said yes beforehand; how the command ends then.
pub(super) fn confirmed(question: &str, is_said: bool) -> Result<bool, Exit> {
    if is_said {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        output::note(question);
        output::error("nothing was changed: say `--yes` if this is what you want");
        return Err(Exit::Usage);
    }
    output::note(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer).is_ok();
    let is_yes = matches!(
        answer.trim().to_lowercase().as_str(),
        "y" | "yes" | "s" | "si" | "sí"
    );
    if !(read && is_yes) {
        output::note("nothing was changed");
    }
    Ok(read && is_yes)
}
