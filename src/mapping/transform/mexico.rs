//! The two identifiers of Mexico: CURP for persons and RFC for taxpayers.
//!
//! Both are brought into the form in which they are issued (upper case, without spaces and hyphens) and checked, so
//! that a mistyped one is found before it is used. Whether one was issued at all only the registries know.

use std::fmt;

use jiff::civil::Date;

/// Why a text is not a CURP or RFC, said after "is not a CURP: ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotAnIdentifier {
    /// How many characters it has, and how many it should have.
    Length(usize, &'static str),
    /// It has something else than letters and digits where they belong.
    Shape,
    Date,
    /// No such sex: `H`, `M` or `X`.
    Sex,
    /// No such federal entity.
    Entity(String),
    CheckDigit,
}

impl fmt::Display for NotAnIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length, wanted) => {
                write!(f, "it has {length} characters, not {wanted}")
            }
            Self::Shape => f.write_str("letters and digits do not stand where they should"),
            Self::Date => f.write_str("its date does not exist"),
            Self::Sex => f.write_str("its 11th character is none of H, M and X"),
            Self::Entity(code) => write!(f, "there is no federal entity {code}"),
            Self::CheckDigit => {
                f.write_str("its last character does not fit the others, so one is mistyped")
            }
        }
    }
}

/// The codes of the federal entities in a CURP; `NE` is a birth abroad.
const ENTITIES: [&str; 33] = [
    "AS", "BC", "BS", "CC", "CH", "CL", "CM", "CS", "DF", "DG", "GR", "GT", "HG", "JC", "MC", "MN",
    "MS", "NE", "NL", "NT", "OC", "PL", "QR", "QT", "SL", "SP", "SR", "TC", "TL", "TS", "VZ", "YN",
    "ZS",
];

/// RFCs that stand for nobody in particular: the public, and who lives abroad. SAT made them up, check digit included.
const GENERIC: [&str; 2] = ["XAXX010101000", "XEXX010101000"];

/// A CURP: 18 characters with a date of birth, a sex, a federal entity and a check digit.
///
/// Source: *Instructivo Normativo para la asignación de la CURP* (Secretaría de Gobernación, Diario Oficial de la
/// Federación of 2021-10-18): the sum of each character's place among `0`…`9`, `A`…`N`, `Ñ`, `O`…`Z` times 18, 17, and
/// so on down to 2; the digit is what is lacking to the next ten. The same text gives the entities and that the 17th
/// character is a digit for births up to 1999 and a letter after that. `X` for the sex is given out since 2023.
pub(super) fn curp(text: &str) -> Result<String, NotAnIdentifier> {
    let curp = compact(text);
    let chars: Vec<char> = curp.chars().collect();
    let [name @ .., sex, entity1, entity2, c1, c2, c3, homonym, check] = chars.as_slice() else {
        return Err(NotAnIdentifier::Length(chars.len(), "18"));
    };
    let Some((name, date)) = name.split_at_checked(4).filter(|_| chars.len() == 18) else {
        return Err(NotAnIdentifier::Length(chars.len(), "18"));
    };
    let letters = name.iter().chain([sex, entity1, entity2, c1, c2, c3]);
    let fits = letters.copied().all(|c| c.is_ascii_uppercase())
        && date.iter().all(char::is_ascii_digit)
        && homonym.is_ascii_alphanumeric()
        && check.is_ascii_digit();
    if !fits {
        return Err(NotAnIdentifier::Shape);
    }
    let century = if homonym.is_ascii_digit() { 1900 } else { 2000 };
    if !is_date(date, &[century]) {
        return Err(NotAnIdentifier::Date);
    }
    if !matches!(sex, 'H' | 'M' | 'X') {
        return Err(NotAnIdentifier::Sex);
    }
    let entity = String::from_iter([entity1, entity2]);
    if !ENTITIES.contains(&entity.as_str()) {
        return Err(NotAnIdentifier::Entity(entity));
    }
    let sum: u32 = chars
        .iter()
        .zip((2..=18).rev())
        .filter_map(|(c, weight)| Some(place(*c, CURP_ALPHABET)? * weight))
        .sum();
    if check.to_digit(10) == Some((10 - sum % 10) % 10) {
        Ok(curp)
    } else {
        Err(NotAnIdentifier::CheckDigit)
    }
}

/// An RFC: four letters for a person or three for a company, a date, two characters against homonyms and a check digit.
///
/// The check digit counts only where `strict` asks for it: SAT has issued RFCs whose digit its own rule does not give
/// (python-stdnum, which collected some of them, estimates 1.5 % of all), and they are as good as the others.
///
/// Source: SAT's *Anexo 3* on the check character, with `GODE561231GR8` as its example: the sum of each character's
/// place in the alphabet below times 13, 12, and so on down to 2, where the three letters of a company count as a space
/// and three letters; the digit is what is lacking to the next eleven, `A` for ten.
pub(super) fn rfc(text: &str, strict: bool) -> Result<String, NotAnIdentifier> {
    let rfc = compact(text);
    if GENERIC.contains(&rfc.as_str()) {
        return Ok(rfc);
    }
    let chars: Vec<char> = rfc.chars().collect();
    let name_length = match chars.len() {
        13 => 4,
        12 => 3,
        length => {
            return Err(NotAnIdentifier::Length(
                length,
                "13 (a person) or 12 (a company)",
            ));
        }
    };
    let (name, rest) = chars.split_at(name_length);
    let Some((date, end)) = rest.split_at_checked(6) else {
        return Err(NotAnIdentifier::Shape);
    };
    let is_letter = |c: &char| c.is_ascii_uppercase() || matches!(c, 'Ñ' | '&');
    let fits = name.iter().all(is_letter)
        && date.iter().all(char::is_ascii_digit)
        && end.iter().all(char::is_ascii_alphanumeric)
        && matches!(end.last(), Some('0'..='9' | 'A'));
    if !fits {
        return Err(NotAnIdentifier::Shape);
    }
    if !is_date(date, &[1900, 2000]) {
        return Err(NotAnIdentifier::Date);
    }
    let padding = (chars.len() == 12).then_some(' ');
    let sum: u32 = padding
        .into_iter()
        .chain(chars.iter().copied())
        .zip((2..=13).rev())
        .filter_map(|(c, weight)| Some(place(c, RFC_ALPHABET)? * weight))
        .sum();
    let check = match (11 - sum % 11) % 11 {
        10 => 'A',
        digit => char::from_digit(digit, 10).unwrap_or_default(),
    };
    if !strict || chars.last() == Some(&check) {
        Ok(rfc)
    } else {
        Err(NotAnIdentifier::CheckDigit)
    }
}

const CURP_ALPHABET: &str = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ";
const RFC_ALPHABET: &str = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ";

fn place(c: char, alphabet: &str) -> Option<u32> {
    (0..)
        .zip(alphabet.chars())
        .find_map(|(place, known)| (known == c).then_some(place))
}

/// In upper case, without the spaces and hyphens that people put between the parts.
fn compact(text: &str) -> String {
    text.chars()
        .filter(|c| !super::text::is_space(*c) && !matches!(c, '-' | '_'))
        .flat_map(char::to_uppercase)
        .collect()
}

/// Whether `YYMMDD` exists in one of these centuries.
fn is_date(digits: &[char], centuries: &[i16]) -> bool {
    let text: String = digits.iter().collect();
    let part = |at: usize| {
        text.get(at..at + 2)
            .and_then(|part| part.parse::<i8>().ok())
    };
    let (Some(year), Some(month), Some(day)) = (part(0), part(2), part(4)) else {
        return false;
    };
    centuries
        .iter()
        .any(|century| Date::new(century + i16::from(year), month, day).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curps_are_brought_into_their_form_and_checked() {
        for (text, wanted) in [
            // Examples of the Instructivo and of libraries that follow it; nobody's.
            ("AAPR630321HDFLRC09", Ok("AAPR630321HDFLRC09")),
            ("SABC560626MDFLRN01", Ok("SABC560626MDFLRN01")),
            (" boxw310820hnerxn09 ", Ok("BOXW310820HNERXN09")),
            ("HEGG-560427-MVZRRL-04", Ok("HEGG560427MVZRRL04")),
            ("TUAZ040213MCLRLFA7", Ok("TUAZ040213MCLRLFA7")),
            ("BOXW310820HNERXN08", Err(NotAnIdentifier::CheckDigit)),
            ("BOXW310820HNERXM09", Err(NotAnIdentifier::CheckDigit)),
            ("BOXW310820HNERXN0", Err(NotAnIdentifier::Length(17, "18"))),
            ("", Err(NotAnIdentifier::Length(0, "18"))),
            (
                "BOXW310820HNERXN099",
                Err(NotAnIdentifier::Length(19, "18")),
            ),
            ("B0XW310820HNERXN09", Err(NotAnIdentifier::Shape)),
            ("ÑOXW310820HNERXN09", Err(NotAnIdentifier::Shape)),
            ("BOXW310820HNERXN0A", Err(NotAnIdentifier::Shape)),
            ("BOXW310230HNERXN09", Err(NotAnIdentifier::Date)),
            // A leap year in this century, not in the last.
            ("BOXW000229HNERXN09", Err(NotAnIdentifier::Date)),
            ("BOXW310820FNERXN09", Err(NotAnIdentifier::Sex)),
            (
                "BOXW310820HXXRXN09",
                Err(NotAnIdentifier::Entity("XX".to_owned())),
            ),
        ] {
            let wanted = wanted.map(str::to_owned);
            assert_eq!(curp(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_curp_without_a_binary_sex_is_taken() {
        let taken = (0..10).filter(|digit| curp(&format!("BOXW310820XNERXN0{digit}")).is_ok());
        assert_eq!(taken.count(), 1);
    }

    #[test]
    fn rfcs_are_brought_into_their_form_and_checked() {
        for (text, strict, wanted) in [
            // SAT's own example, then companies.
            ("GODE 561231 GR8", true, Ok("GODE561231GR8")),
            ("mab-930714-8t4", true, Ok("MAB9307148T4")),
            ("VSM140430NQA", true, Ok("VSM140430NQA")),
            ("B&D9605298Y3", true, Ok("B&D9605298Y3")),
            ("MUÑ110218LJ6", true, Ok("MUÑ110218LJ6")),
            ("XAXX010101000", true, Ok("XAXX010101000")),
            ("xexx010101000", true, Ok("XEXX010101000")),
            // In use, though its digit does not fit.
            ("SIN9311169P8", false, Ok("SIN9311169P8")),
            ("SIN9311169P8", true, Err(NotAnIdentifier::CheckDigit)),
            ("GODE561231GR9", true, Err(NotAnIdentifier::CheckDigit)),
            (
                "GODE561231",
                false,
                Err(NotAnIdentifier::Length(
                    10,
                    "13 (a person) or 12 (a company)",
                )),
            ),
            ("G0DE561231GR8", false, Err(NotAnIdentifier::Shape)),
            ("GODE561231GRB", false, Err(NotAnIdentifier::Shape)),
            ("GODE561231Ñ08", false, Err(NotAnIdentifier::Shape)),
            ("GODE561331GR8", false, Err(NotAnIdentifier::Date)),
        ] {
            let wanted = wanted.map(str::to_owned);
            assert_eq!(rfc(text, strict), wanted, "{text} {strict}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_identifier_or_not(text in "\\PC{0,20}|[A-ZÑ&]{3,4}[0-9]{6}[HMX]?[A-Z0-9]{3,8}") {
            if let Ok(curp) = curp(&text) {
                proptest::prop_assert_eq!(super::curp(&curp), Ok(curp.clone()));
            }
            if let Ok(rfc) = rfc(&text, false) {
                proptest::prop_assert_eq!(super::rfc(&rfc, false), Ok(rfc.clone()));
            }
        }
    }
}
