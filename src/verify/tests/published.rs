//! Requests that vendors publish in their own test suites, through the presets, and what they refuse.

use super::{super::*, Method, at, secret};
use crate::verify::tests::{Bytes, HeaderName};

/// A request as somebody published it.
struct Published {
    preset: &'static str,
    secrets: &'static [&'static str],
    headers: &'static [(&'static str, &'static str)],
    query: &'static str,
    body: &'static str,
    now: i64,
}

impl Published {
    fn verify(&self) -> Result<(), Refusal> {
        let settings = presets::find(self.preset).unwrap().verify_settings();
        let secrets: Vec<_> = self.secrets.iter().map(|value| secret(value)).collect();
        let verifier = Verifier::new(settings, &secrets).unwrap();
        let headers = self.headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let request = Outgoing {
            method: Method::POST,
            url: format!("https://hooks.example/x{}", self.query),
            headers: headers.collect(),
            body: Bytes::from_static(self.body.as_bytes()),
        };
        let now = at(self.now);
        let found = verifier.verify(request.into_received(now), now);
        found.map(drop).map_err(|(_, refusal)| refusal)
    }
}

/// The tests of Box's library for Node.
const BOX: Published = Published {
    preset: "box",
    secrets: &["SamplePrimaryKey", "SampleSecondaryKey"],
    headers: &[
        ("box-delivery-timestamp", "2020-01-01T00:00:00-07:00"),
        ("box-signature-algorithm", "HmacSHA256"),
        ("box-signature-version", "1"),
        BOX_PRIMARY,
        BOX_SECONDARY,
    ],
    query: "",
    body: r#"{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}"#,
    now: BOX_SENT,
};
const BOX_SENT: i64 = 1_577_862_000;
const BOX_PRIMARY: (&str, &str) = (
    "box-signature-primary",
    "6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=",
);
const BOX_SECONDARY: (&str, &str) = (
    "box-signature-secondary",
    "v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo=",
);

const FIXED: [(&str, &str); 3] = [BOX.headers[0], BOX.headers[1], BOX.headers[2]];
const ONLY_PRIMARY: &[(&str, &str)] = &[FIXED[0], FIXED[1], FIXED[2], BOX_PRIMARY];
const ONLY_SECONDARY: &[(&str, &str)] = &[FIXED[0], FIXED[1], FIXED[2], BOX_SECONDARY];
const SWAPPED: &[(&str, &str)] = &[
    FIXED[0],
    FIXED[1],
    FIXED[2],
    ("box-signature-primary", BOX_SECONDARY.1),
    ("box-signature-secondary", BOX_PRIMARY.1),
];
const NEITHER: &[(&str, &str)] = &FIXED;

#[test]
fn box_signs_with_two_keys_and_either_is_enough() {
    let of_box = |secrets, headers| Published {
        secrets,
        headers,
        ..BOX
    };
    assert_eq!(BOX.verify(), Ok(()));
    let both: &[_] = &["SamplePrimaryKey", "SampleSecondaryKey"];
    for (secrets, headers, verdict) in [
        (both, ONLY_PRIMARY, Ok(())),
        (both, ONLY_SECONDARY, Ok(())),
        (&["SamplePrimaryKey", "new"], BOX.headers, Ok(())),
        (&["new", "SampleSecondaryKey"], BOX.headers, Ok(())),
        // One key was taken out: nobody knows whose header is left.
        (&["SampleSecondaryKey"], BOX.headers, Ok(())),
        (&["SamplePrimaryKey"], BOX.headers, Ok(())),
        (both, SWAPPED, Err(Refusal::NoMatch)),
        (
            &["SampleSecondaryKey", "SamplePrimaryKey"],
            BOX.headers,
            Err(Refusal::NoMatch),
        ),
        (&["IncorrectKey"], BOX.headers, Err(Refusal::NoMatch)),
        (both, NEITHER, Err(Refusal::MissingSignature)),
    ] {
        let found = of_box(secrets, headers).verify();
        assert_eq!(found, verdict, "{secrets:?} {headers:?}");
    }
    for (now, verdict) in [
        (BOX_SENT + 600, Ok(())),
        (BOX_SENT + 601, Err(Refusal::TimestampTooOld)),
        (BOX_SENT - 1, Err(Refusal::TimestampTooNew)),
    ] {
        assert_eq!(Published { now, ..BOX }.verify(), verdict, "{now}");
    }
    let settings = || presets::find("box").unwrap().verify_settings();
    assert_eq!(
        Verifier::new(settings(), &[secret("a"), secret("b"), secret("c")]).err(),
        Some(SettingsError::MoreThanHeaders {
            keys: 3,
            headers: 2
        })
    );
}

/// The tests of Hook0's library for Rust.
const HOOK0: Published = Published {
    preset: "hook0",
    secrets: &["secret"],
    headers: &[HOOK0_SIGNATURE, ("x-test", "val1"), ("x-test2", "val2")],
    query: "",
    body: "hello !",
    now: 1_636_936_200,
};
const HOOK0_SIGNATURE: (&str, &str) = (
    "x-hook0-signature",
    "t=1636936200,h=x-test x-test2,v1=493c35f05443fdb74cb99fd4f00e0e7653c2ab6b24fbc97f4a7bd4d56b31758a",
);

#[test]
fn hook0_signs_the_headers_that_it_lists() {
    assert_eq!(HOOK0.verify(), Ok(()));
    for (headers, refusal) in [
        (
            &[HOOK0_SIGNATURE, ("x-test", "val1"), ("x-test2", "val3")][..],
            Refusal::NoMatch,
        ),
        (
            &[HOOK0_SIGNATURE, ("x-test", "val1")],
            Refusal::MissingSignedPart,
        ),
        (
            &[(
                "x-hook0-signature",
                "t=1636936200,v1=493c35f05443fdb74cb99fd4f00e0e7653c2ab6b24fbc97f4a7bd4d56b31758a",
            )],
            Refusal::NoMatch,
        ),
        (
            &[(
                "x-hook0-signature",
                "t=1636936200,h=x test(2),v1=493c35f05443fdb74cb99fd4f00e0e7653c2ab6b24fbc97f4a7bd4d56b31758a",
            )],
            Refusal::MalformedSignature,
        ),
        (
            &[
                (
                    "x-hook0-signature",
                    "t=1636936200,h=x-test X-test2,v1=493c35f05443fdb74cb99fd4f00e0e7653c2ab6b24fbc97f4a7bd4d56b31758a",
                ),
                ("x-test", "val1"),
                ("x-test2", "val2"),
            ],
            Refusal::MalformedSignature,
        ),
        (
            &[(
                "x-hook0-signature",
                "t=1636936200,h=a,h=b,v1=493c35f05443fdb74cb99fd4f00e0e7653c2ab6b24fbc97f4a7bd4d56b31758a",
            )],
            Refusal::AmbiguousValue,
        ),
    ] {
        let found = Published { headers, ..HOOK0 }.verify();
        assert_eq!(found, Err(refusal), "{headers:?}");
    }
    let body = "hello!";
    assert_eq!(Published { body, ..HOOK0 }.verify(), Err(Refusal::NoMatch));
}

/// The tests of Convoy's package `signature`.
const CONVOY: Published = Published {
    preset: "convoy-advanced",
    secrets: &["new-secret"],
    headers: &[(
        "x-convoy-signature",
        "t=1257894000,v1=5b255b0b867c5540679bad7dfa11be73ffd4ee248647646fb325ccbe19167439,v1=9942b27103f8f5f5ce4cd3751524dbb7087a596487c784655a33f528cd4d7400,v1=d5589c4f5e51d74e6116c8d5db2704d76cdf88521e2cdd749d2d5091e3d6183c",
    )],
    query: "",
    body: r#"{"b":{},"e":"123","a":1}"#,
    now: 1_257_894_000,
};

#[test]
fn convoy_signs_with_all_secrets_that_are_rolled() {
    for secrets in [
        &["new-secret"],
        &["expired-secret"],
        &["older-expired-secret"],
    ] {
        assert_eq!(Published { secrets, ..CONVOY }.verify(), Ok(()));
    }
    let secrets = &["secret"];
    let other = Published { secrets, ..CONVOY }.verify();
    assert_eq!(other, Err(Refusal::NoMatch));
}
