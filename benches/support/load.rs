//! A source and a sender of events to it, for programs that measure how fast events are accepted.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub(crate) const SECRET: &str = "a-secret-for-measuring";
pub(crate) const SOURCE_FILE: &str = r#"
mapping: 1
source: bench
receive:
  verify:
    type: hmac
    algorithm: sha256
    signature_header: X-Signature
    signature_format: {style: plain}
    encoding: hex
    signed: "{body}"
  secrets: [{env: BENCH_SECRET}]
  dedup: {header: X-Event-Id}
otherwise: drop
rules:
  - name: contact
    when: type == 'contact.updated'
    customer: {id: contact.quentliId}
    set:
      name: contact.fullName | squeeze | title
      email: contact.email | lower | email
      phoneNumber: contact.mobile ?? contact.phone | phone
      metadata:
        - {key: grado, from: contact.grade | text}
tests:
  - name: usual
    event: {type: contact.updated, contact: {quentliId: cus_1, fullName: ana luna, email: A@b.mx, phone: "55 1234 5678", grade: 5}}
    expect:
      - customer: cus_1
        patch_includes: {name: Ana Luna}
"#;

/// One connection, on which event follows event until it is told to stop.
pub(crate) async fn send(
    address: SocketAddr,
    client: u64,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) {
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let padding = "x".repeat(1750);
    let mut answer = vec![0; 4096];
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let body = format!(
            r#"{{"type":"contact.updated","contact":{{"quentliId":"cus_{client}","fullName":"ana  LUNA {number}","email":"Ana.Luna@Example.COM","mobile":null,"phone":"55 1234 5678","grade":{},"notes":"{padding}"}}}}"#,
            number % 12
        );
        let mut mac = key.clone();
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = format!(
            "POST /webhooks/bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Signature: {signature}\r\nX-Event-Id: {client}-{number}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut have = 0;
        loop {
            have += stream.read(&mut answer[have..]).await.unwrap();
            if is_whole(&answer[..have]) {
                break;
            }
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..have])
        );
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a head with its `Content-Length` and a body of that length are there.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<usize>().unwrap());
    length.is_some_and(|length| body.len() >= length)
}
