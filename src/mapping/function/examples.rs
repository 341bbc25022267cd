//! An example of each function, true to the letter: a test evaluates all of them.

use super::Function;

/// The tables of the examples, as a file has them; the file's time zone and region are those that hold unless it says
/// otherwise.
pub(in crate::mapping) const TABLES: &str = "tables: {level_tag: {PRI: Primaria, SEC: Secundaria}}";

impl Function {
    /// At least one expression that needs no event, each with what it gives, as `explain` shows it.
    pub const fn examples(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Trim => &[("'  ana ' | trim", "'ana'")],
            Self::Lower => &[("'ANA Ñ' | lower", "'ana ñ'")],
            Self::Upper => &[("'5a' | upper", "'5A'")],
            Self::Title => &[("'MARÍA DE LA LUZ' | title", "'María de la Luz'")],
            Self::Squeeze => &[("' ana   luna ' | squeeze", "'ana luna'")],
            Self::GivenFirst => &[
                (
                    "'PÉREZ GARCÍA, JUAN CARLOS' | given_first",
                    "'JUAN CARLOS PÉREZ GARCÍA'",
                ),
                (
                    "'LUNA, ANA, LIC.' | given_first",
                    "error: 'LUNA, ANA, LIC.' has several commas; only the one between surnames and given names is expected",
                ),
            ],
            Self::Replace => &[("'5.A' | replace('.', '')", "'5A'")],
            Self::StripPrefix => &[("'id:42' | strip_prefix('id:')", "'42'")],
            Self::StripSuffix => &[("'42/MX' | strip_suffix('/MX')", "'42'")],
            Self::RequirePrefix => &[
                ("'cus_1' | require_prefix('cus_')", "'cus_1'"),
                (
                    "'5A' | require_prefix('cus_')",
                    "error: '5A' does not begin with 'cus_'",
                ),
            ],
            Self::Digits => &[("'A-10 29' | digits", "'1029'")],
            Self::MaxLen => &[("'Guadalupe' | max_len(4)", "'Guad'")],
            Self::Split => &[("'a, b,,c' | split(',')", "['a', 'b', 'c']")],
            Self::Text => &[("5 | text", "'5'")],
            Self::Number => &[
                ("'$ 8,450.50' | number", "8450.50"),
                ("'8.450,50' | number(decimal=',')", "8450.50"),
                (
                    "'8.450,50' | number",
                    "error: '8.450,50' is not a number; for a decimal comma write number(decimal=',')",
                ),
            ],
            Self::Bool => &[
                ("'Sí' | bool", "true"),
                ("'quizás' | bool", "error: 'quizás' is not true or false"),
            ],
            Self::Phone => &[
                ("'044 55 1234 5678' | phone", "'+525512345678'"),
                ("'(415) 555-2671' | phone('US')", "'+14155552671'"),
                (
                    "'ext. 14' | phone",
                    "error: 'ext. 14' is not a phone number",
                ),
            ],
            Self::Email => &[
                ("' Ana@Example.COM' | email", "'Ana@example.com'"),
                (
                    "'ana@example' | email",
                    "error: 'ana@example' is not an e-mail address",
                ),
            ],
            Self::Curp => &[
                ("' boxw310820hnerxn09' | curp", "'BOXW310820HNERXN09'"),
                (
                    "'BOXW310820HNERXN08' | curp",
                    "error: 'BOXW310820HNERXN08' is not a CURP: its last character does not fit the others, so one is mistyped",
                ),
            ],
            Self::Rfc => &[
                ("'gode 561231-gr8' | rfc", "'GODE561231GR8'"),
                ("'GODE561231GR8' | rfc(strict=true)", "'GODE561231GR8'"),
                (
                    "'GODE561231' | rfc",
                    "error: 'GODE561231' is not an RFC: it has 10 characters, not 13 (a person) or 12 (a company)",
                ),
            ],
            Self::DateTime => &[
                (
                    "'2026-01-15T04:30:00' | datetime",
                    "2026-01-15T10:30:00.000Z",
                ),
                (
                    "'15/01/2026 04:30' | datetime('DD/MM/YYYY HH:mm')",
                    "2026-01-15T10:30:00.000Z",
                ),
                (
                    "'2026-01-15 10:30' | datetime('YYYY-MM-DD HH:mm', tz='UTC')",
                    "2026-01-15T10:30:00.000Z",
                ),
                (
                    "'15/01/2026' | datetime",
                    "error: '15/01/2026' is not a date and time; where the day comes first, use `day_first`",
                ),
                (
                    "'2026-01-15' | datetime('DD/MM/YYYY')",
                    "error: '2026-01-15' is not a date of the form DD/MM/YYYY",
                ),
            ],
            Self::DayFirst => &[
                (
                    "'15 de enero de 2026, 4:30 p. m.' | day_first",
                    "2026-01-15T22:30:00.000Z",
                ),
                (
                    "'15/1/2026' | day_first(tz='UTC')",
                    "2026-01-15T00:00:00.000Z",
                ),
                (
                    "'15/01/26' | day_first",
                    "error: '15/01/26' is not a date with the day first",
                ),
            ],
            Self::UnixS => &[
                ("1768473000 | unix_s", "2026-01-15T10:30:00.000Z"),
                ("'ayer' | unix_s", "error: 'ayer' is not a time since 1970"),
            ],
            Self::UnixMs => &[("1768473000123 | unix_ms", "2026-01-15T10:30:00.123Z")],
            Self::Lookup => &[
                ("'PRI' | lookup(level_tag)", "'Primaria'"),
                ("'KIN' | lookup(level_tag, else='Otro')", "'Otro'"),
                (
                    "'KIN' | lookup(level_tag)",
                    "error: table `level_tag` has no entry 'KIN'",
                ),
                ("'KIN' | lookup(level_tag, else=skip)", "absent"),
            ],
            Self::Default => &[("nobody | default('-')", "'-'")],
            Self::First => &[("['3A', '5B'] | first", "'3A'")],
            Self::Last => &[("['3A', '5B'] | last", "'5B'")],
            Self::Unique => &[("['PRI', 'SEC', 'PRI'] | unique", "['PRI', 'SEC']")],
            Self::Compact => &[("['PRI', null, ' '] | compact", "['PRI']")],
            Self::Count => &[("['3A', '5B'] | count", "2")],
            Self::Join => &[("join(' ', 'Ana', ' ', 'Luna')", "'Ana Luna'")],
            Self::Concat => &[("concat('tut-', 42)", "'tut-42'")],
            Self::Exists => &[("exists(nobody)", "false")],
            Self::IsNull => &[("is_null(null)", "true")],
            Self::IsBlank => &[("is_blank(' ')", "true")],
            Self::Header => &[("header('X-Topic')", "'contact.updated'")],
            Self::StartsWith => &[("'student.updated' | starts_with('student.')", "true")],
            Self::EndsWith => &[("'student.updated' | ends_with('.deleted')", "false")],
            Self::Contains => &[
                ("'Becario 50%' | contains('Beca')", "true"),
                ("['PRI', 'SEC'] | contains('PRI')", "true"),
            ],
            Self::Matches => &[("'A-1029' | matches('^A-[0-9]+$')", "true")],
        }
    }

    /// What the examples need: a part of the file, a header of the request, or that something is not there.
    pub const fn examples_need(self) -> Option<&'static str> {
        match self {
            Self::Lookup => Some(TABLES),
            Self::Header => Some("X-Topic: contact.updated"),
            Self::Default | Self::Join | Self::Exists => Some("nothing at `nobody`"),
            _ => None,
        }
    }
}
