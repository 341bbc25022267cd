//! The catalogue of functions: their names, how they are written, and what people are told about them.

mod examples;

#[cfg(test)]
pub(super) use examples::TABLES;

/// A function of the mapping language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    Trim,
    Lower,
    Upper,
    Title,
    Squeeze,
    GivenFirst,
    Replace,
    StripPrefix,
    StripSuffix,
    RequirePrefix,
    Digits,
    MaxLen,
    Split,
    Text,
    Number,
    Bool,
    Phone,
    Email,
    Curp,
    Rfc,
    DateTime,
    DayFirst,
    UnixS,
    UnixMs,
    Lookup,
    Default,
    First,
    Last,
    Unique,
    Compact,
    Count,
    Join,
    Concat,
    Exists,
    IsNull,
    IsBlank,
    Header,
    StartsWith,
    EndsWith,
    Contains,
    Matches,
}

/// One line of the catalogue.
struct Line {
    name: &'static str,
    usage: &'static str,
    gives: &'static str,
    about: &'static str,
}

impl Function {
    pub const ALL: [Self; 41] = [
        Self::Trim,
        Self::Lower,
        Self::Upper,
        Self::Title,
        Self::Squeeze,
        Self::GivenFirst,
        Self::Replace,
        Self::StripPrefix,
        Self::StripSuffix,
        Self::RequirePrefix,
        Self::Digits,
        Self::MaxLen,
        Self::Split,
        Self::Text,
        Self::Number,
        Self::Bool,
        Self::Phone,
        Self::Email,
        Self::Curp,
        Self::Rfc,
        Self::DateTime,
        Self::DayFirst,
        Self::UnixS,
        Self::UnixMs,
        Self::Lookup,
        Self::Default,
        Self::First,
        Self::Last,
        Self::Unique,
        Self::Compact,
        Self::Count,
        Self::Join,
        Self::Concat,
        Self::Exists,
        Self::IsNull,
        Self::IsBlank,
        Self::Header,
        Self::StartsWith,
        Self::EndsWith,
        Self::Contains,
        Self::Matches,
    ];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        self.line().name
    }

    /// How it is written, `x` being the piped value.
    pub const fn usage(self) -> &'static str {
        self.line().usage
    }

    /// The type of its result.
    pub const fn gives(self) -> &'static str {
        self.line().gives
    }

    /// What it does, in one line.
    pub const fn about(self) -> &'static str {
        self.line().about
    }

    /// The function of this exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
    }

    /// The function that somebody means by a name from a spreadsheet or another language, in lower case.
    pub(super) fn meant_by(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "capitalize" | "capitalise" | "titlecase" | "proper" | "nompropio" | "initcap" => {
                Self::Title
            }
            "uppercase" | "toupper" | "upcase" | "mayusc" | "mayusculas" => Self::Upper,
            "lowercase" | "tolower" | "downcase" | "minusc" | "minusculas" => Self::Lower,
            "strip" | "espacios" | "clean" => Self::Trim,
            "left" | "izquierda" | "truncate" | "substring" | "limit" => Self::MaxLen,
            "substitute" | "sustituir" | "gsub" => Self::Replace,
            "string" | "str" | "texto" | "to_text" | "tostring" => Self::Text,
            "numero" | "int" | "integer" | "float" | "decimal" | "valor" => Self::Number,
            "boolean" | "booleano" => Self::Bool,
            "telefono" | "tel" | "telephone" | "e164" => Self::Phone,
            "correo" | "mail" => Self::Email,
            "date" | "fecha" | "time" | "timestamp" | "parse_date" => Self::DateTime,
            "dmy" | "ddmmyyyy" | "date_dmy" => Self::DayFirst,
            "unix" | "epoch" => Self::UnixS,
            "map" | "vlookup" | "xlookup" | "buscarv" | "buscarx" | "table" => Self::Lookup,
            "or_else" | "fallback" | "ifnull" | "ifempty" | "coalesce" | "si_error" => {
                Self::Default
            }
            "length" | "len" | "size" | "contar" => Self::Count,
            "distinct" | "uniq" | "unicos" => Self::Unique,
            "concatenate" | "concatenar" | "unir" | "textjoin" | "unircadenas" => Self::Join,
            "regex" | "regexp" | "match" => Self::Matches,
            "includes" | "has" | "contiene" => Self::Contains,
            "isnull" | "isblank" | "esblanco" => Self::IsBlank,
            _ => return None,
        })
    }

    /// Whether it follows `|`; the others are called with all their values in parentheses.
    pub const fn is_piped(self) -> bool {
        !matches!(
            self,
            Self::Join | Self::Concat | Self::Exists | Self::IsNull | Self::IsBlank | Self::Header
        )
    }

    /// The names of the arguments that are given by name.
    pub(super) const fn argument_names(self) -> &'static [&'static str] {
        match self {
            Self::DateTime | Self::DayFirst => &["tz"],
            Self::Lookup => &["else"],
            Self::Number => &["decimal"],
            Self::Rfc => &["strict"],
            _ => &[],
        }
    }

    const fn line(self) -> Line {
        const fn line(
            name: &'static str,
            usage: &'static str,
            gives: &'static str,
            about: &'static str,
        ) -> Line {
            Line {
                name,
                usage,
                gives,
                about,
            }
        }
        match self {
            Self::Trim => line(
                "trim",
                "x | trim",
                "text",
                "without spaces at both ends, also no-break and zero-width ones",
            ),
            Self::Lower => line("lower", "x | lower", "text", "in lower case"),
            Self::Upper => line("upper", "x | upper", "text", "in upper case"),
            Self::Title => line(
                "title",
                "x | title",
                "text",
                "first letter of each word up, the rest down; de, del, la, las, los, y stay low unless first",
            ),
            Self::Squeeze => line(
                "squeeze",
                "x | squeeze",
                "text",
                "trimmed, and runs of white space become one space",
            ),
            Self::GivenFirst => line(
                "given_first",
                "x | given_first",
                "text",
                "a name written as `surnames, given names` with the given names in front; unchanged without a comma, an error with several",
            ),
            Self::Replace => line(
                "replace",
                "x | replace('a', 'b')",
                "text",
                "every `a` becomes `b`",
            ),
            Self::StripPrefix => line(
                "strip_prefix",
                "x | strip_prefix('a')",
                "text",
                "without `a` in front; unchanged where it is not there",
            ),
            Self::StripSuffix => line(
                "strip_suffix",
                "x | strip_suffix('a')",
                "text",
                "without `a` at the end; unchanged where it is not there",
            ),
            Self::RequirePrefix => line(
                "require_prefix",
                "x | require_prefix('a')",
                "text",
                "unchanged; an error where it does not begin with `a`",
            ),
            Self::Digits => line("digits", "x | digits", "text", "only 0 to 9"),
            Self::MaxLen => line(
                "max_len",
                "x | max_len(40)",
                "text",
                "cut after so many characters",
            ),
            Self::Split => line(
                "split",
                "x | split(',')",
                "list of text",
                "the trimmed pieces between separators, blank ones left out",
            ),
            Self::Text => line(
                "text",
                "x | text",
                "text",
                "a number or text as text; an error for others",
            ),
            Self::Number => line(
                "number",
                "x | number, or x | number(decimal=',')",
                "number",
                "1,234.50 or $ 8450 as a number, with decimal=',' 1.234,50; an error where it is unclear",
            ),
            Self::Bool => line(
                "bool",
                "x | bool",
                "bool",
                "true/false, 1/0, yes/no, y/n, si/sí/no, verdadero/falso, on/off in any case; an error for others",
            ),
            Self::Phone => line(
                "phone",
                "x | phone, or x | phone('US')",
                "phone",
                "a telephone number in E.164; an error where it is none",
            ),
            Self::Email => line(
                "email",
                "x | email",
                "email",
                "a checked address with its domain in lower case; an error where it is none",
            ),
            Self::Curp => line(
                "curp",
                "x | curp",
                "text",
                "a Mexican CURP in upper case without spaces and hyphens; an error where date, entity or check digit are wrong",
            ),
            Self::Rfc => line(
                "rfc",
                "x | rfc, or x | rfc(strict=true)",
                "text",
                "a Mexican RFC in upper case without spaces and hyphens; an error where its form is wrong, with strict=true also its check digit",
            ),
            Self::DateTime => line(
                "datetime",
                "x | datetime, or x | datetime('DD/MM/YYYY HH:mm', tz='America/Bogota')",
                "datetime",
                "a date and time, with the year first or in the form of the pattern; an error for others",
            ),
            Self::DayFirst => line(
                "day_first",
                "x | day_first, or x | day_first(tz='America/Bogota')",
                "datetime",
                "a date with the day first, such as 15/1/2026 or 15 de enero de 2026, with or without a time; an error where it is none",
            ),
            Self::UnixS => line(
                "unix_s",
                "x | unix_s",
                "datetime",
                "seconds since 1970; an error for others",
            ),
            Self::UnixMs => line(
                "unix_ms",
                "x | unix_ms",
                "datetime",
                "milliseconds since 1970; an error for others",
            ),
            Self::Lookup => line(
                "lookup",
                "x | lookup(table), or x | lookup(table, else='-')",
                "type of the table",
                "the table's value for this key; without an entry an error, or what `else` says: a value, skip (nothing) or null",
            ),
            Self::Default => line(
                "default",
                "x | default(value)",
                "type of x",
                "the value in place of nothing, null or blank",
            ),
            Self::First => line(
                "first",
                "x | first",
                "element",
                "the first entry of a list; nothing of an empty one",
            ),
            Self::Last => line(
                "last",
                "x | last",
                "element",
                "the last entry of a list; nothing of an empty one",
            ),
            Self::Unique => line("unique", "x | unique", "list", "without repeats"),
            Self::Compact => line(
                "compact",
                "x | compact",
                "list",
                "without null and blank entries",
            ),
            Self::Count => line(
                "count",
                "x | count",
                "number",
                "how many entries a list has; 0 of nothing",
            ),
            Self::Join => line(
                "join",
                "join(', ', a, b, …)",
                "text",
                "the values with the separator between them; lists flattened, gaps left out",
            ),
            Self::Concat => line(
                "concat",
                "concat(a, b, …)",
                "text",
                "the values one after the other; gaps left out",
            ),
            Self::Exists => line(
                "exists",
                "exists(x)",
                "bool",
                "whether anything is there, also null",
            ),
            Self::IsNull => line("is_null", "is_null(x)", "bool", "whether it is null"),
            Self::IsBlank => line(
                "is_blank",
                "is_blank(x)",
                "bool",
                "whether it is empty text, only spaces, or an empty list",
            ),
            Self::Header => line(
                "header",
                "header('X-Topic')",
                "text",
                "a header of the request, capitals in its name making no difference; nothing where it is missing",
            ),
            Self::StartsWith => line(
                "starts_with",
                "x | starts_with('a')",
                "bool",
                "whether it begins with `a`",
            ),
            Self::EndsWith => line(
                "ends_with",
                "x | ends_with('a')",
                "bool",
                "whether it ends with `a`",
            ),
            Self::Contains => line(
                "contains",
                "x | contains('a')",
                "bool",
                "whether a text has `a` inside, or a list has the entry `a`",
            ),
            Self::Matches => line(
                "matches",
                "x | matches('pattern')",
                "bool",
                "whether the regular expression is found in it",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name_and_shown_as_it_is_written() {
        for function in Function::ALL {
            assert_eq!(Function::from_name(function.name()), Some(function));
            let begins = if function.is_piped() { "x | " } else { "" };
            let usage = format!("{begins}{}", function.name());
            assert!(function.usage().starts_with(&usage), "{function:?}");
            assert!(!function.gives().is_empty() && !function.about().is_empty());
        }
    }
}
