//! Dates with the day first, as people in Latin America write them.

use super::{Parts, Said, cursor::Cursor, standard};

/// `15/1/2026`, `15-01-2026 04:30`, `15.01.2026 4:30 p. m.`, `15 de enero de 2026`, `15-ene-2026 16:30 hrs`. The
/// year has four digits: of two nobody knows the century. What begins with the year has one meaning as well, and
/// is read as always.
pub(super) fn read(text: &str) -> Option<Said> {
    if let Some(said) = standard::read(text) {
        return Some(said);
    }
    let mut rest = Cursor(text);
    let mut parts = Parts {
        day: rest.two(1)?,
        ..Parts::default()
    };
    rest.eat_one_of(&['º', '°']);
    parts.month = month_and_gap(&mut rest)?;
    parts.year = rest.digits(4, 4)?;
    if !rest.is_at_end() {
        time(&mut rest, &mut parts)?;
    }
    rest.is_at_end().then_some(Said::Local(parts))
}

/// The month, in figures between two equal signs or as a name, with what stands before and after it.
fn month_and_gap(rest: &mut Cursor<'_>) -> Option<i8> {
    const SIGNS: [char; 3] = ['/', '-', '.'];
    let sign = rest.eat_one_of(&SIGNS);
    if let Some(sign) = sign
        && rest.0.starts_with(|c: char| c.is_ascii_digit())
    {
        let month = rest.two(1)?;
        return rest.eat(sign).then_some(month);
    }
    if sign.is_none() && !rest.eat_spaces() {
        return None;
    }
    if rest.eat_word(&["de"]) {
        rest.eat_spaces();
    }
    let month = rest.month_name()?;
    rest.eat('.');
    if sign.is_none_or(|sign| !rest.eat(sign)) {
        rest.eat(',');
        rest.eat_spaces();
    }
    if rest.eat_word(&["de", "del"]) {
        rest.eat_spaces();
    }
    Some(month)
}

fn time(rest: &mut Cursor<'_>, parts: &mut Parts) -> Option<()> {
    if rest.eat_one_of(&['T', 't']).is_none() {
        let comma = rest.eat(',');
        if !rest.eat_spaces() && !comma {
            return None;
        }
        if rest.eat_word(&["a"]) {
            rest.eat_spaces();
            if !rest.eat_word(&["las", "la"]) {
                return None;
            }
            rest.eat_spaces();
        }
    }
    parts.hour = rest.two(1)?;
    let has_minutes = rest.eat(':');
    if has_minutes {
        parts.minute = rest.two(2)?;
        if rest.eat(':') {
            parts.second = rest.two(2)?;
            if rest.eat_one_of(&['.', ',']).is_some() {
                parts.millisecond = rest.fraction()?;
            }
        }
    }
    rest.eat_spaces();
    let half = rest.half();
    if let Some(half) = half {
        parts.hour = half.hour(parts.hour)?;
    }
    if !has_minutes && half.is_none() {
        return None;
    }
    rest.eat_spaces();
    if rest.eat_word(&["h", "hr", "hrs", "horas"]) {
        rest.eat('.');
        rest.eat_spaces();
    }
    if !rest.is_at_end() {
        parts.offset = Some(rest.offset()?);
    }
    Some(())
}
