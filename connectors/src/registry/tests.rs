//! Answers that a real registry gives only on bad days. The good days are a system test with a real one.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use serde_json::json;

use super::*;

/// What a server does with a request: status and body, or silence.
type Answer = fn(&str) -> Option<(u16, String)>;

/// A server of one answer for each path; it counts what it was asked.
struct Server {
    address: Address,
    asked: Arc<AtomicUsize>,
}

fn serve(answer: Answer) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/base/", listener.local_addr().expect("bound"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // Ends with the test process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, SeqCst);
            reply(stream, answer);
        }
    });
    Server {
        address: Address {
            url,
            credentials: Some(("me".to_owned(), "secret".to_owned())),
            timeout: Duration::from_millis(300),
        },
        asked,
    }
}

fn reply(mut stream: TcpStream, answer: Answer) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_lowercase())
        .collect();
    // "me:secret"
    assert!(
        head.iter().any(|line| line.ends_with("basic bwu6c2vjcmv0")),
        "{head:?}"
    );
    let path = first.split(' ').nth(1).unwrap_or_default();
    match answer(path) {
        Some((status, body)) => {
            let kind = match body.starts_with('{') {
                true => "application/vnd.schemaregistry.v1+json",
                false => "text/html",
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
        None => std::thread::sleep(Duration::from_secs(1)),
    }
}

fn error(answer: Answer) -> Error {
    let client = Client::new(&serve(answer).address);
    client.schema(7).expect_err("no schema")
}

fn is_away(answer: Answer, hint: &str) {
    let error = error(answer);
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(hint), "{error}");
    assert!(!error.to_string().contains("secret"));
}

fn schema(text: &str) -> Option<(u16, String)> {
    Some((200, json!({ "schema": text }).to_string()))
}

#[test]
fn only_a_clear_word_says_that_there_is_no_such_schema() {
    let known = error(|_| Some((404, r#"{"error_code":40403,"message":"x"}"#.to_owned())));
    assert_eq!(
        known.to_string(),
        "the registry has no schema 7: register it, or send the record's own id"
    );
    // An unknown code of a registry that is one.
    let odd = error(|path| match path {
        "/base/schemas/types" => Some((200, "[]".to_owned())),
        _ => Some((404, "{}".to_owned())),
    });
    assert!(matches!(odd, Error::Unknown { .. }), "{odd}");
    is_away(
        |_| Some((404, "not here".to_owned())),
        "check the path in `registry.url`",
    );
    is_away(|_| Some((401, String::new())), "check `registry.user`");
    is_away(|_| Some((500, r#"{"message":"boom"}"#.to_owned())), "boom");
    is_away(|_| Some((302, String::new())), "status 302");
    is_away(
        |_| Some((200, "<html>".to_owned())),
        "is this Confluent's API?",
    );
    is_away(|_| Some((200, "x".repeat(5_000_000))), "registry http://");
    is_away(|_| None, "timeout");
}

#[test]
fn a_schema_that_cannot_be_used_is_none() {
    let protobuf = error(|_| Some((200, r#"{"schemaType":"PROTOBUF","schema":""}"#.to_owned())));
    assert_eq!(
        protobuf.to_string(),
        "schema 7: it is PROTOBUF; only Avro is read"
    );
    let broken = error(|_| schema("{}"));
    assert!(
        matches!(&broken, Error::Unusable { what, .. } if what == "schema 7"),
        "{broken}"
    );
    let mut server = serve(|_| schema(&"x".repeat(5_000_000)));
    server.address.timeout = Duration::from_secs(60);
    let huge = Client::new(&server.address).schema(7).expect_err("huge");
    assert_eq!(
        huge.to_string(),
        "schema 7: it is larger than 4194304 bytes: split the type"
    );
}

#[test]
fn references_are_fetched_before_what_refers_to_them() {
    let server = serve(|path| {
        match path {
        "/base/schemas/ids/7" => Some((200, json!({
            "schema": r#"{"type":"record","name":"O","fields":[{"name":"a","type":"A"},{"name":"b","type":"B"}]}"#,
            "references": [{"name": "A", "subject": "a/a", "version": 1}, {"name": "B", "subject": "b", "version": 2}],
        }).to_string())),
        "/base/subjects/a%2Fa/versions/1" => Some((200, json!({
            "schema": r#"{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]}"#,
            "references": [{"name": "B", "subject": "b", "version": 2}],
        }).to_string())),
        "/base/subjects/b/versions/2" => schema(r#"{"type":"enum","name":"B","symbols":["X"]}"#),
        other => panic!("{other}"),
    }
    });
    let fetched = Client::new(&server.address).schema(7).expect("a schema");
    assert_eq!(fetched.schema.name(), Some("O"));
    assert_eq!(server.asked.load(SeqCst), 3, "each was fetched once");
    let endless = error(|path| {
        let number = path
            .rsplit('/')
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let next = json!([{"name": "N", "subject": "s", "version": number + 1}]);
        Some((
            200,
            json!({"schema": "\"int\"", "references": next}).to_string(),
        ))
    });
    assert!(
        endless.to_string().contains("more than 64 references"),
        "{endless}"
    );
}

#[test]
fn a_registered_schema_has_an_id() {
    let register = |answer: Answer| Client::new(&serve(answer).address).register("a b", "\"int\"");
    assert_eq!(
        register(|path| match path {
            "/base/subjects/a%20b/versions" => Some((200, r#"{"id":12}"#.to_owned())),
            other => panic!("{other}"),
        }),
        Ok(12)
    );
    let refused = register(|_| Some((409, r#"{"message":"incompatible"}"#.to_owned())));
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "the registry refused the schema of subject `a b`: incompatible"
    );
    assert!(matches!(
        register(|_| Some((503, String::new()))),
        Err(Error::Unavailable { .. })
    ));
}

#[test]
fn a_schema_is_looked_for_before_it_is_registered() {
    let id_of = |answer: Answer| Client::new(&serve(answer).address).id_of("a b", "\"int\"");
    let known = id_of(|path| match path {
        "/base/subjects/a%20b?normalize=true" => Some((200, r#"{"id":7,"version":2}"#.to_owned())),
        other => panic!("{other}"),
    });
    assert_eq!(known, Ok(7));
    let new = id_of(|path| match path {
        "/base/subjects/a%20b/versions" => Some((200, r#"{"id":12}"#.to_owned())),
        _ => Some((404, r#"{"error_code":40401}"#.to_owned())),
    });
    assert_eq!(new, Ok(12));
    let incompatible = id_of(|path| match path {
        "/base/subjects/a%20b/versions" => Some((409, r#"{"message":"field gone"}"#.to_owned())),
        _ => Some((404, r#"{"error_code":40403}"#.to_owned())),
    });
    let said = "the registry refused the schema of subject `a b`: field gone";
    assert_eq!(incompatible.expect_err("refused").to_string(), said);
    let elsewhere = id_of(|_| Some((404, String::new()))).expect_err("no registry");
    assert!(
        elsewhere
            .to_string()
            .contains("check the path in `registry.url`")
    );
    let closed = id_of(|_| Some((403, String::new()))).expect_err("closed");
    assert!(closed.to_string().contains("check `registry.user`"));
}

fn framed(id: u32) -> Wanted<'static> {
    Wanted::Framed { id, r#type: None }
}

fn found(catalog: &Catalog, id: u32) -> Found {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match catalog.find(&framed(id)) {
            Found::NotYet if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            found => return found,
        }
    }
}

fn catalog(registry: Option<&Server>, folder: Option<PathBuf>) -> Result<Catalog, Error> {
    Catalog::open(&Sources {
        registry: registry.map(|server| server.address.clone()),
        folder,
    })
}

#[test]
fn what_was_fetched_is_kept() {
    let server = serve(|path| match path {
        "/base/schemas/ids/1" => schema("\"int\""),
        _ => Some((404, r#"{"error_code":40403}"#.to_owned())),
    });
    let catalog = catalog(Some(&server), None).expect("opened");
    for _ in 0..3 {
        assert!(matches!(found(&catalog, 1), Found::Schema(_)));
        assert!(
            matches!(found(&catalog, 2), Found::Never(reason) if reason.contains("no schema 2"))
        );
    }
    assert_eq!(server.asked.load(SeqCst), 2);
    assert_eq!(catalog.trouble(), None);
}

#[test]
fn a_registry_that_stumbles_is_asked_again_and_one_id_does_not_block_others() {
    static BAD: AtomicUsize = AtomicUsize::new(0);
    let server = serve(|path| match path {
        "/base/schemas/ids/1" if BAD.fetch_add(1, SeqCst) < 2 => Some((500, String::new())),
        _ => schema("\"int\""),
    });
    let catalog = catalog(Some(&server), None).expect("opened");
    assert_eq!(catalog.find(&framed(1)), Found::NotYet);
    assert!(matches!(found(&catalog, 2), Found::Schema(_)));
    assert!(matches!(found(&catalog, 1), Found::Schema(_)));
    assert_eq!(BAD.load(SeqCst), 3);
    assert_eq!(catalog.trouble(), None);
}

#[test]
fn finding_never_waits() {
    let server = serve(|_| None);
    let catalog = catalog(Some(&server), None).expect("opened");
    let begun = Instant::now();
    (0..5_000).for_each(|id| assert_eq!(catalog.find(&framed(id)), Found::NotYet));
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let until = Instant::now() + Duration::from_secs(5);
    while catalog.trouble().is_none() {
        assert!(
            Instant::now() < until,
            "nobody says that the registry is away"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A folder with these files; it is removed by the system.
fn folder(files: &[(&str, &str)]) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let unique = format!(
        "skald-avsc-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, SeqCst)
    );
    let path = std::env::temp_dir().join(unique);
    std::fs::create_dir(&path).expect("a folder");
    for (name, text) in files {
        std::fs::write(path.join(name), text).expect("written");
    }
    path
}

const A: (&str, &str) = (
    "a.avsc",
    r#"{"type":"record","name":"x.A","fields":[{"name":"b","type":"y.B"}]}"#,
);
const B: (&str, &str) = ("b.avsc", r#"{"type":"enum","name":"y.B","symbols":["X"]}"#);

#[test]
fn a_folder_knows_names() {
    let also = ("c.avsc", r#"{"type":"enum","name":"z.B","symbols":["X"]}"#);
    let path = folder(&[A, B, also, ("plain.avsc", "\"int\""), ("readme.md", "{")]);
    let catalog = catalog(None, Some(path.clone())).expect("read");
    let _ = std::fs::remove_dir_all(path);
    let by = |name| catalog.find(&Wanted::Named(name));
    for name in ["x.A", "A", "y.B", "z.B", "plain"] {
        assert!(matches!(by(name), Found::Schema(_)), "{name}");
    }
    assert!(matches!(by("B"), Found::Never(reason) if reason.contains("use the full name")));
    assert!(matches!(by("C"), Found::Never(reason) if reason.contains("has a type `C`")));
    let header = |r#type| catalog.find(&Wanted::Framed { id: 1, r#type });
    assert!(matches!(header(Some("A")), Found::Schema(_)));
    assert!(matches!(header(None), Found::Never(reason) if reason.contains("`topics.formats`")));
    assert!(catalog.is_named("A") && !catalog.is_named("B"));
}

#[test]
fn a_folder_that_cannot_be_used_stops_the_start() {
    let path = folder(&[A]);
    let error = catalog(None, Some(path.clone()))
        .expect_err("B is missing")
        .to_string();
    let _ = std::fs::remove_dir_all(path);
    assert!(
        error.contains("a.avsc: schema at `x.A.b`: type `y.B` is not defined"),
        "{error}"
    );
    let error = catalog(None, Some("/no/such/folder".into())).expect_err("no folder");
    assert!(
        error.to_string().contains("set `schemas.folder`"),
        "{error}"
    );
}

fn refused(files: &[(&str, &str)]) -> String {
    let path = folder(files);
    let error = catalog(None, Some(path.clone())).expect_err("refused");
    let _ = std::fs::remove_dir_all(path);
    error.to_string()
}

#[test]
fn two_files_of_one_name_are_both_named() {
    let again = ("z.avsc", B.1);
    let error = refused(&[B, again]);
    for part in ["b.avsc and ", "z.avsc: both define `y.B`"] {
        assert!(error.contains(part), "{error}");
    }
    // By the name of the file, without a name of its own.
    let error = refused(&[("y.B.avsc", "\"int\""), B]);
    assert!(error.contains("both define `y.B`"), "{error}");
}

#[test]
fn a_files_own_mistake_is_told_first() {
    // `a.avsc` only misses what `b.avsc` would define.
    let bad = ("b.avsc", r#"{"type":"enum","name":"y.B"}"#);
    let error = refused(&[A, bad]);
    assert!(
        error.contains("b.avsc: schema at `the outermost type`: `symbols`"),
        "{error}"
    );
    // What two other files do to each other hides nothing.
    let twice = (
        "d.avsc",
        r#"{"type":"record","name":"x.D","fields":[{"name":"b","type":{"type":"enum","name":"y.B","symbols":["X"]}}]}"#,
    );
    let wrong = ("e.avsc", r#"{"type":"record","name":"x.E","fields":7}"#);
    let error = refused(&[B, twice, wrong]);
    assert!(
        error.contains("e.avsc: schema at") && error.contains("`fields`"),
        "{error}"
    );
}

#[test]
fn without_sources_avro_is_refused_with_advice() {
    let found = Catalog::none().find(&framed(1));
    assert!(matches!(found, Found::Never(reason) if reason.contains("`registry.url`")));
}
