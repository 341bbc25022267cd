//! The settings of well-known senders, by name.
//!
//! A preset is the long form that a person would otherwise write, so `presets` can print it for changing. Each names
//! the public page or code it was taken from. A sender whose requests prove nothing about their body says so in its
//! description.

mod crm;
mod handshakes;
mod payments;
mod relays;
mod school;
mod services;
mod table;

use std::sync::LazyLock;

use super::{VerifySettings, handshake::HandshakeSettings};
use crate::{
    diag::{Collector, SourceText},
    yaml,
};

/// How the requests of a well-known sender are verified and told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// As it is written after `verify:`.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The page or code that says so.
    pub url: &'static str,
    /// The long form, as YAML.
    pub settings: &'static str,
    /// How a repeated event is recognised, unless the source says otherwise.
    pub dedup: PresetDedup,
}

/// Where a sender puts what tells its events apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetDedup {
    /// A header with the id of the request.
    Header(&'static str),
    /// Expressions on an item.
    Expressions(&'static [&'static str]),
    /// Nothing: the body itself.
    Body,
}

impl Preset {
    /// The settings, checked.
    pub fn verify_settings(&self) -> VerifySettings {
        let mut out = Collector::new(SourceText::new(self.name, self.settings));
        yaml::parse(&mut out)
            .and_then(|node| VerifySettings::read(&node, &mut out))
            .expect("a test reads every preset")
    }

    /// How this sender registers an address, as YAML; `None` where it asks the address nothing.
    pub fn handshake(&self) -> Option<&'static str> {
        let known = handshakes::HANDSHAKES.iter();
        let mut of_this = known.filter(|(name, _)| *name == self.name);
        of_this.next().map(|(_, settings)| *settings)
    }

    /// The same, checked.
    pub fn handshake_settings(&self) -> Option<HandshakeSettings> {
        let settings = self.handshake()?;
        let mut out = Collector::new(SourceText::new(self.name, settings));
        let read = yaml::parse(&mut out).and_then(|node| HandshakeSettings::read(&node, &mut out));
        Some(read.expect("a test reads every preset"))
    }
}

/// All presets, by name.
pub fn all() -> &'static [Preset] {
    static ALL: LazyLock<Vec<Preset>> = LazyLock::new(|| {
        let mut all = [
            table::PRESETS,
            crm::PRESETS,
            payments::PRESETS,
            relays::PRESETS,
            school::PRESETS,
            services::PRESETS,
        ]
        .concat();
        all.sort_unstable_by_key(|preset| preset.name);
        all
    });
    &ALL
}

/// The preset of a name.
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn every_preset_has_settings_that_verify_something() {
        for preset in all() {
            assert!(!preset.verify_settings().is_none(), "{}", preset.name);
            assert!(preset.url.starts_with("https://"), "{}", preset.name);
            if let PresetDedup::Header(name) = preset.dedup {
                assert!(name.parse::<HeaderName>().is_ok(), "{}", preset.name);
            }
        }
    }

    #[test]
    fn every_handshake_belongs_to_a_preset_and_goes_with_its_verification() {
        assert!(handshakes::HANDSHAKES.is_sorted_by(|before, after| before.0 < after.0));
        for (name, _) in handshakes::HANDSHAKES {
            let preset = find(name).unwrap_or_else(|| panic!("{name}"));
            let settings = preset.handshake_settings().unwrap();
            assert_eq!(
                settings.contradiction(&preset.verify_settings()),
                None,
                "{name}"
            );
        }
        assert_eq!(find("stripe").unwrap().handshake_settings(), None);
    }

    #[test]
    fn presets_are_sorted_and_found_by_their_name() {
        assert!(all().is_sorted_by(|before, after| before.name < after.name));
        assert_eq!(find("stripe").unwrap().name, "stripe");
        assert_eq!(find("none"), None);
    }

    #[test]
    fn a_preset_whose_body_is_not_signed_says_so() {
        for preset in all() {
            let says_so = preset.description.contains("body is not signed");
            assert_eq!(
                preset.verify_settings().covers_body(),
                !says_so,
                "{}",
                preset.name
            );
        }
    }
}
