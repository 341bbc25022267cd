//! `trusted_proxies`: ranges of addresses with commas between them.

use super::Reader;
use crate::network::{MAX_NETWORKS, Network, Networks};

impl Reader<'_> {
    pub(super) fn trusted_proxies(&mut self) -> Networks {
        let written = self.written("trusted_proxies", None, Some("GATEWAY_TRUSTED_PROXIES"));
        let default = Networks::default();
        self.layers
            .settle("trusted_proxies", written, default, read, show)
    }
}

/// A range that holds every address is refused: it would have us believe whatever anybody writes.
fn read(text: &str) -> Result<Networks, String> {
    let texts = text.split(',').filter(|text| !text.trim().is_empty());
    let ranges: Vec<Network> = texts
        .map(|text| {
            text.parse()
                .map_err(|error| format!("the addresses of your proxies: {error}"))
        })
        .collect::<Result<_, String>>()?;
    if ranges.len() > MAX_NETWORKS {
        return Err(format!("at most {MAX_NETWORKS} ranges"));
    }
    if let Some(range) = ranges.iter().find(|range| range.is_everything()) {
        return Err(format!(
            "the addresses of your proxies; `{range}` is everybody, and everybody could pretend to be anybody"
        ));
    }
    Ok(ranges.into_iter().collect())
}

fn show(networks: &Networks) -> String {
    if networks.is_empty() {
        "none".to_owned()
    } else {
        networks.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Environment, Flags},
        diag::render_lines,
    };

    /// What a file and the environment come to, or the findings.
    fn load(file: &str, variable: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, file).unwrap();
        let flags = Flags {
            config: Some(path),
            ..Flags::default()
        };
        let variables = [
            ("QUENTLI_API_KEY", "sk_x"),
            ("GATEWAY_TRUSTED_PROXIES", variable),
        ];
        let environment: Environment = variables.into_iter().collect();
        match Config::load(&flags, &environment) {
            Ok(config) => Ok(show(&config.trusted_proxies)),
            Err(error) => {
                let lines: Vec<_> = error.findings.iter().flat_map(render_lines).collect();
                let shown = lines.join("\n");
                Err(shown.replace(&format!("{}/", folder.path().display()), ""))
            }
        }
    }

    #[test]
    fn ranges_come_from_the_file_or_from_the_environment() {
        for (file, variable, expected) in [
            ("", "", "none"),
            ("trusted_proxies: []", "", "none"),
            (
                "trusted_proxies: [10.0.0.0/8, \"fd00::/8\"]",
                "",
                "10.0.0.0/8, fd00::/8",
            ),
            ("trusted_proxies: 127.0.0.1", "", "127.0.0.1"),
            (
                "trusted_proxies: [10.0.0.0/8]",
                "192.168.0.0/16,127.0.0.1, ",
                "192.168.0.0/16, 127.0.0.1",
            ),
        ] {
            assert_eq!(
                load(file, variable).as_deref(),
                Ok(expected),
                "{file} {variable}"
            );
        }
    }

    #[test]
    fn what_is_no_address_of_a_proxy_is_refused_with_its_place() {
        let file = "trusted_proxies: [10.0.0.0/8, balancer.local]";
        insta::assert_snapshot!(load(file, "").unwrap_err(), @"gateway.yaml:1:18: error config/value: `trusted_proxies` takes the addresses of your proxies: `balancer.local` is not an address or a range such as `192.0.2.0/24`");
        insta::assert_snapshot!(load("", "10.1.2.3/8").unwrap_err(), @"environment:1:25: error config/value: `trusted_proxies` takes the addresses of your proxies: `10.1.2.3/8` is inside a range and does not begin one; the range is `10.0.0.0/8`");
        insta::assert_snapshot!(load("", "0.0.0.0/0").unwrap_err(), @"environment:1:25: error config/value: `trusted_proxies` takes the addresses of your proxies; `0.0.0.0/0` is everybody, and everybody could pretend to be anybody");
        insta::assert_snapshot!(load("trusted_proxies: [{a: 1}]", "").unwrap_err(), @"gateway.yaml:1:18: error config/shape: `trusted_proxies` takes a list of texts");
    }
}
