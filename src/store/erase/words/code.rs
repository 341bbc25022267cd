//! Decodes whatever in a text may be base64, of either alphabet, with padding or without.
//!
//! Where code begins is not known: a word or a path may stand right before it. So a run of the alphabet's characters is
//! decoded from each of its first four, with its lines joined; each of its lines also alone; and each part between those
//! characters of the alphabet that also part words. That is six times the text at most.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Characters of base64 that the shortest text needs.
const SHORTEST_CODE: usize = 6;

/// With or without padding, whatever the bits are that no byte needs.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether anything that the text may hold in base64 is `wanted`.
pub(super) fn any_decoded(text: &str, mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
    let mut run = Run::default();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if let Some(character) = in_standard_alphabet(*first) {
            run.characters.push(character);
            rest = after;
            continue;
        }
        let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\r' | b'\n');
        let space = rest.iter().take_while(is_space).count();
        let (gap, after) = rest.split_at(space.max(1));
        let breaks = gap.split(|byte| *byte == b'\n').count() - 1;
        if breaks == 1 && space > 0 {
            run.line_ends.push(run.characters.len());
        } else if run.end(&mut wanted) {
            return true;
        }
        rest = after;
    }
    run.end(&mut wanted)
}

fn in_standard_alphabet(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(byte),
        _ => byte.is_ascii_alphanumeric().then_some(byte),
    }
}

/// Characters of the alphabet with nothing between them but the ends of lines.
#[derive(Default)]
struct Run {
    characters: Vec<u8>,
    line_ends: Vec<usize>,
    decoded: Vec<u8>,
}

impl Run {
    /// Whether something in it is wanted. It is empty afterwards.
    fn end(&mut self, wanted: &mut impl FnMut(&[u8]) -> bool) -> bool {
        let Self {
            characters,
            line_ends,
            decoded,
        } = self;
        let is_wanted = characters.len() >= SHORTEST_CODE && {
            let mut is_wanted = |code: &[u8]| is_wanted(code, decoded, wanted);
            let mut lines = Vec::with_capacity(line_ends.len() + 1);
            let mut start = 0;
            for end in line_ends.iter().copied().chain([characters.len()]) {
                lines.push(characters.get(start..end).unwrap_or_default());
                start = end;
            }
            (0..4).any(|start| is_wanted(characters.get(start..).unwrap_or_default()))
                || lines.into_iter().any(|line| {
                    let is_whole = line.len() == characters.len();
                    let mut parts = line.split(|byte| matches!(byte, b'+' | b'/'));
                    (!is_whole && is_wanted(line))
                        || parts.any(|part| part.len() < line.len() && is_wanted(part))
                })
        };
        characters.clear();
        line_ends.clear();
        is_wanted
    }
}

fn is_wanted(code: &[u8], decoded: &mut Vec<u8>, wanted: &mut impl FnMut(&[u8]) -> bool) -> bool {
    // One character more than bytes need belongs to something else.
    let whole = code.len() - usize::from(code.len() % 4 == 1);
    let Some(code) = code.get(..whole).filter(|code| code.len() >= SHORTEST_CODE) else {
        return false;
    };
    decoded.clear();
    BASE64.decode_vec(code, decoded).is_ok() && wanted(decoded)
}
