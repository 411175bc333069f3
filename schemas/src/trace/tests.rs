use super::*;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_well_formed_context_is_carried_on() {
    let headers = Headers::default().with(headers::TRACEPARENT, GOOD);
    assert_eq!(traceparent(&headers), Some(GOOD));
    assert!(is_traceparent(&format!("01{}-more", &GOOD[2..])));
}

#[test]
fn anything_else_is_dropped() {
    let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    let zero_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
    let (longer, newest) = (format!("{GOOD}-x"), format!("ff{}", &GOOD[2..]));
    for text in [
        "",
        "x",
        &GOOD.to_uppercase(),
        &zero_trace,
        &zero_parent,
        &longer,
        &newest,
        &GOOD[..54],
    ] {
        assert!(!is_traceparent(text), "{text}");
    }
}
