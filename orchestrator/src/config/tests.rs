//! Messages of configuration errors, precedence, and that secrets are not printed.

use std::io::Write;

use super::source::{KEYS, Sources};
use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile()
        .expect("temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn load_text(text: &str) -> Result<Settings, String> {
    load_with(text, &[])
}

fn load_with(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let file = file(text);
    let sources = Sources {
        config: Some(file.path().to_owned()),
        environment: environment
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        flags: Vec::new(),
    };
    load(&sources).map(|loaded| loaded.settings).map_err(|e| {
        e.to_string()
            .replace(&file.path().display().to_string(), "FILE")
    })
}

fn check_error(text: &str, expected: &str) {
    assert_eq!(load_text(text).expect_err("must be refused"), expected);
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let settings = load_text("").expect("defaults");
    assert_eq!(settings.app, "skald");
    assert_eq!((settings.lanes, settings.workers), (4, 1));
    assert_eq!(settings.kafka.brokers, "127.0.0.1:9092");
    assert_eq!(settings.timeouts.session.as_secs(), 10);
    assert!(settings.roles.engine && settings.roles.ingress);
    assert!(!settings.instance.is_empty());
}

#[test]
fn an_unknown_key_names_key_file_and_suggestion() {
    check_error(
        "[kafka]\nborkers = 'a:1'\n",
        "unknown key `kafka.borkers` in `FILE`; did you mean `kafka.brokers`?",
    );
    check_error(
        "lane = 3\n",
        "unknown key `lane` in `FILE`; did you mean `lanes`?",
    );
    check_error("zzz = 3\n", "unknown key `zzz` in `FILE`");
}

#[test]
fn a_wrong_duration_says_what_was_expected() {
    check_error(
        "[timeouts]\nsession = '10 parsecs'\n",
        "`timeouts.session` in `FILE`: found `10 parsecs`, expected a duration such as `200ms`, `10s`, `5m`, `2h` or `4d`",
    );
    check_error(
        "[timeouts]\nsession = 10\n",
        "`timeouts.session` in `FILE`: found `10`, expected a duration such as `200ms`, `10s`, `5m`, `2h` or `4d`",
    );
}

#[test]
fn the_relation_of_timeouts_is_checked() {
    let error = load_text("[timeouts]\ntransaction = '20s'\n").expect_err("must be refused");
    assert!(
        error.starts_with(
            "`timeouts` must satisfy transaction < session < poll_interval, but they are 20s, 10s, 60s"
        ),
        "{error}"
    );
}

#[test]
fn toml_that_does_not_parse_names_file_and_line() {
    let error = load_text("lanes = \n").expect_err("must be refused");
    assert!(error.starts_with("`FILE` is not valid TOML"), "{error}");
    assert!(error.contains("line 1"), "{error}");
}

#[test]
fn a_syntax_error_does_not_quote_the_line() {
    let error = load_text("[[inbox.secrets]]\nsecret = 'swordfish\n").expect_err("must be refused");
    assert!(
        error.contains("line 2") && !error.contains("swordfish"),
        "{error}"
    );
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources {
        config: Some("/nowhere/skald.toml".into()),
        ..Sources::default()
    };
    let error = load(&sources).expect_err("must be refused").to_string();
    assert_eq!(error, "config file `/nowhere/skald.toml` does not exist");
}

#[test]
fn variables_override_the_file_and_flags_override_both() {
    let settings = load_with("lanes = 2\n[log]\nfilter='warn'", &[("SKALD_LANES", "3")]);
    assert_eq!(settings.expect("loads").lanes, 3);
    let sources = Sources {
        environment: vec![("SKALD_LANES".into(), "3".into())],
        flags: Assignment::flag("lanes", "--lanes", Some(5u32))
            .into_iter()
            .collect(),
        config: None,
    };
    assert_eq!(load(&sources).expect("loads").settings.lanes, 5);
}

#[test]
fn a_wrong_variable_is_named() {
    assert_eq!(
        load_with("", &[("SKALD_LANES", "many")]).expect_err("must be refused"),
        "`lanes` in environment variable `SKALD_LANES`: found `many`, expected a whole number"
    );
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for (key, _) in KEYS {
        let variable = format!("SKALD_{}", key.replace('.', "_").to_uppercase());
        let result = load_with("", &[(&variable, "x")]);
        if let Err(error) = result {
            assert!(!error.contains("unknown key"), "{key}: {error}");
        }
    }
}

#[test]
fn a_mistyped_variable_is_a_warning() {
    let sources = Sources {
        environment: vec![
            ("SKALD_KAFKA_BROKER".into(), "a:1".into()),
            ("SKALD_SERVICE_HOST".into(), "10.0.0.1".into()),
        ],
        ..Sources::default()
    };
    assert_eq!(
        load(&sources).expect("loads").warnings,
        [
            "environment variable `SKALD_KAFKA_BROKER` is no setting; did you mean `SKALD_KAFKA_BROKERS`?"
        ]
    );
}

#[test]
fn client_settings_may_be_quoted_nested_or_variables() {
    let text = "[kafka.settings]\n'security.protocol' = 'sasl_ssl'\nssl.ca.location = '/ca.pem'\n";
    let settings = load_with(text, &[("SKALD_KAFKA_SETTINGS_SASL_PASSWORD", "hunter2")])
        .expect("loads")
        .kafka
        .settings;
    let names: Vec<&str> = settings.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["sasl.password", "security.protocol", "ssl.ca.location"]
    );
    assert_eq!(settings["sasl.password"].expose(), "hunter2");
}

#[test]
fn settings_on_which_promises_rest_are_refused() {
    check_error(
        "[kafka.settings]\n'isolation.level' = 'read_uncommitted'\n",
        "`kafka.settings` names `isolation.level`, which Skald sets itself: its promises depend on it",
    );
}

#[test]
fn secrets_are_never_printed() {
    let text = "[[inbox.secrets]]\nid = 'k1'\nsecret = 'correct horse battery'\n\
                [redis]\nurl = 'redis://bob:swordfish@cache:6379'\n[kafka.settings]\n'sasl.password' = 'hunter2'\n";
    let settings = load_text(text).expect("loads");
    let printed = format!("{settings:?}");
    for secret in ["correct horse", "swordfish", "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert_eq!(settings.redis.address(), "redis://cache:6379");
}

#[test]
fn a_refused_secret_is_not_repeated() {
    let error = load_text("[redis]\nurl = 4711\n").expect_err("must be refused");
    assert!(!error.contains("4711"), "{error}");
}

#[test]
fn requiring_signatures_needs_secrets() {
    check_error(
        "[inbox]\nrequire_signature = true\n",
        "`inbox.require_signature` is true but `inbox.secrets` is empty: every record would be refused",
    );
}

#[test]
fn secrets_may_come_from_a_variable() {
    let value = "k2=0123456789abcdef,k1=fedcba9876543210";
    let settings = load_with("", &[("SKALD_INBOX_SECRETS", value)]).expect("loads");
    assert_eq!(format!("{:?}", settings.inbox.keys), r#"["k2", "k1"]"#);
}

#[test]
fn the_budget_of_re_sends_is_checked() {
    let defaults = load_text("").expect("defaults").resend;
    assert_eq!((defaults.per_second, defaults.burst), (100.0, 200.0));
    let settings = load_with("[resend]\nper_second = 5\n", &[("SKALD_RESEND_BURST", "7")]);
    let budget = settings.expect("loads").resend;
    assert_eq!((budget.per_second, budget.burst), (5.0, 7.0));
    check_error(
        "[resend]\nper_second = 0\n",
        "`resend.per_second` is 0; it must be 1 to 1000000",
    );
}

#[test]
fn an_unknown_role_gets_a_suggestion() {
    check_error(
        "roles = ['engin']\n",
        "`roles` names `engin`, which is no role; did you mean `engine`?",
    );
}

#[test]
fn formats_may_be_quoted_nested_or_a_variable() {
    let text = "[topics.formats]\n'a.b' = 'avro'\nc.d = 'json'\n";
    let settings = load_text(text).expect("formats");
    let word = |topic: &str| settings.topics.formats[topic].to_string();
    assert_eq!((word("a.b"), word("c.d")), ("avro".into(), "json".into()));
    let variable = [("SKALD_TOPICS_FORMATS", "a.b=cloudevents, x=avro")];
    let settings = load_with("", &variable).expect("formats");
    assert_eq!(settings.topics.formats["a.b"].to_string(), "cloudevents");
    assert_eq!(settings.topics.formats["x"].to_string(), "avro");
    check_error(
        "[topics.formats]\nx = 'xml'\n",
        "`topics.formats` of `x`: `xml` is no format; it must be `json`, `cloudevents`, `avro`, `avro:<type name>` or `avro-bare:<type name>`",
    );
    check_error(
        "[topics.formats]\nx = 'avro:Order'\n",
        "`topics.formats` of `x` is `avro:Order`, but `schemas.folder` is not set: the type would be looked for there",
    );
}

#[test]
fn a_registry_needs_an_address_and_both_parts_of_its_credentials() {
    let settings = load_text(
        "[registry]\nurl = 'http://r:8081'\nuser = 'me'\npassword = 'hidden'\ntimeout = '3s'\n",
    );
    let settings = settings.expect("a registry");
    assert!(!format!("{settings:?}").contains("hidden"));
    let address = settings.schemas.registry.expect("an address");
    assert_eq!(address.timeout.as_secs(), 3);
    assert_eq!(address.credentials, Some(("me".into(), "hidden".into())));
    check_error(
        "[registry]\nurl = 'http://r'\nuser = 'me'\n",
        "`registry.user` and `registry.password` go together; set both or none",
    );
    check_error(
        "[registry]\nuser = 'me'\npassword = 'x'\n",
        "`registry.user` is set, but `registry.url` is not",
    );
    for url in ["r:8081", "http://me:secret@r"] {
        let error = load_text(&format!("[registry]\nurl = '{url}'\n")).expect_err("refused");
        assert!(error.contains("must begin with `http://`"), "{error}");
        assert!(!error.contains("secret"));
    }
    check_error(
        "[registry]\ntimeout = '2m'\n",
        "`registry.timeout` is 120s; it must be `1ms` to 60s",
    );
}

#[test]
fn bounds_of_dead_letters_are_checked() {
    let defaults = load_text("").expect("defaults").ingress;
    assert_eq!((defaults.in_a_row, defaults.ratio), (1_000, 0.5));
    let settings = load_with(
        "[ingress]\ndead_letters_ratio = 1\n",
        &[("SKALD_INGRESS_DEAD_LETTERS_IN_A_ROW", "7")],
    );
    let bounds = settings.expect("loads").ingress;
    assert_eq!((bounds.in_a_row, bounds.ratio), (7, 1.0));
    check_error(
        "[ingress]\ndead_letters_ratio = 50\n",
        "`ingress.dead_letters_ratio` is 50; it must be above 0 and at most 1",
    );
    check_error(
        "[ingress]\ndead_letters_ratio = 'half'\n",
        "`ingress.dead_letters_ratio` in `FILE`: found `half`, expected a number",
    );
    check_error(
        "[ingress]\ndead_letters_in_a_row = 0\n",
        "`ingress.dead_letters_in_a_row` is 0; it must be at least 1",
    );
}
