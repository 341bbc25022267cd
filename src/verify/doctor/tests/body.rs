//! Bodies that were changed.

use super::*;

#[test]
fn changed_bodies_are_found() {
    let value: Value = serde_json::from_str(BODY).unwrap();
    let json = json::Json::read(BODY).unwrap();
    let style = json::Style::default();
    let write = |style: json::Style| json.write(style, 10_000).unwrap().into_bytes();
    let unix = "{\n\"a\": 1\n}\n";
    let signed = |body: &[u8]| arrived(Sender::new(HEX).body(body).sign());
    let arrived_as = |signed: &[u8], body: &[u8]| Received {
        body: body.to_vec().into(),
        ..arrived(Sender::new(HEX).body(signed).sign())
    };
    check(vec![
        (
            "compact",
            HEX,
            SECRET,
            signed(&write(style)),
            "compact, as JavaScript writes it",
        ),
        (
            "indented",
            HEX,
            SECRET,
            signed(&write(json::Style {
                indent: Some((' ', 2)),
                ..style
            })),
            "indented by two spaces",
        ),
        (
            "sorted",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_sorted: true,
                ..style
            })),
            "compact, with sorted keys",
        ),
        (
            "php",
            HEX,
            SECRET,
            signed(&write(json::Style {
                escapes_slashes: true,
                is_ascii: true,
                ..style
            })),
            "as PHP writes it",
        ),
        (
            "python",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_spaced: true,
                is_ascii: true,
                ..style
            })),
            "as Python writes it",
        ),
        (
            "go",
            HEX,
            SECRET,
            signed(&write(json::Style {
                escapes_html: true,
                ..style
            })),
            "as Go writes it",
        ),
        (
            "python, sorted",
            HEX,
            SECRET,
            signed(&write(json::Style {
                is_sorted: true,
                is_spaced: true,
                is_ascii: true,
                ..style
            })),
            "with sorted keys and a space",
        ),
        (
            "line end of an editor",
            HEX,
            SECRET,
            arrived_as(b"a=b", b"a=b\n"),
            "an editor added the line end",
        ),
        (
            "line end lost",
            HEX,
            SECRET,
            arrived_as(b"a=b\n", b"a=b"),
            "with a line end (LF) at its end",
        ),
        (
            "to LF",
            HEX,
            SECRET,
            arrived_as(unix.replace('\n', "\r\n").as_bytes(), unix.as_bytes()),
            "line ends of CR LF instead of LF",
        ),
        (
            "to CR LF",
            HEX,
            SECRET,
            arrived_as(unix.as_bytes(), unix.replace('\n', "\r\n").as_bytes()),
            "line ends of LF instead of CR LF",
        ),
        (
            "mark",
            HEX,
            SECRET,
            arrived_as(b"a", "\u{feff}a".as_bytes()),
            "without its byte order mark",
        ),
        (
            "latin",
            HEX,
            SECRET,
            arrived_as(b"\xf1", "ñ".as_bytes()),
            "in ISO-8859-1",
        ),
        ("empty", HEX, SECRET, signed(b""), "signed empty"),
        (
            "with another encoding",
            HEX,
            SECRET,
            arrived(
                Sender::new(&hex_with("encoding", json!("base64")))
                    .body(&write(style))
                    .sign(),
            ),
            "encoding: base64 && the body is JSON",
        ),
    ]);
    assert_eq!(value["id"], "ev-1");
}
