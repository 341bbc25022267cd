//! Names of months, as they are written in Latin America.

/// In Spanish and English, whole and short.
const MONTHS: [&[&str]; 12] = [
    &["enero", "ene", "january", "jan"],
    &["febrero", "feb", "february"],
    &["marzo", "mar", "march"],
    &["abril", "abr", "april", "apr"],
    &["mayo", "may"],
    &["junio", "jun", "june"],
    &["julio", "jul", "july"],
    &["agosto", "ago", "august", "aug"],
    &["septiembre", "setiembre", "sep", "sept", "set", "september"],
    &["octubre", "oct", "october"],
    &["noviembre", "nov", "november"],
    &["diciembre", "dic", "december", "dec"],
];

/// The month of a name in lower case: 1 to 12.
pub(super) fn month(name: &str) -> Option<i8> {
    (1..=12)
        .zip(MONTHS)
        .find_map(|(month, names)| names.contains(&name).then_some(month))
}
