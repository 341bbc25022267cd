//! Parts of pages that stand out on a screen.

use clap::builder::styling::{AnsiColor, Color, Style as Paint};

use super::Style;

/// How a part of a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Heading,
    /// Less important than the rest.
    Faint,
    Good,
    Doubtful,
    Bad,
}

/// The text in its tone.
pub fn painted(text: &str, tone: Tone, style: Style) -> String {
    let colour = |colour| Paint::new().fg_color(Some(Color::Ansi(colour)));
    let paint = match (style, tone) {
        (Style::Plain, _) | (_, Tone::Plain) => return text.to_owned(),
        (Style::Coloured, Tone::Heading) => Paint::new().bold(),
        (Style::Coloured, Tone::Faint) => Paint::new().dimmed(),
        (Style::Coloured, Tone::Good) => colour(AnsiColor::Green),
        (Style::Coloured, Tone::Doubtful) => colour(AnsiColor::Yellow),
        (Style::Coloured, Tone::Bad) => colour(AnsiColor::Red).bold(),
    };
    format!("{paint}{text}{paint:#}")
}
