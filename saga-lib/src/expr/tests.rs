use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ir::Template;

fn data() -> BTreeMap<String, Value> {
    let order = json!({
        "id": "ORD-42", "total": 10, "weight": 2.5, "big": 9_007_199_254_740_993_i64, "huge": u64::MAX,
        "tags": ["a", "b"], "items": [{"sku": "x", "price": 3}, {"sku": "y", "price": 4.5}],
        "prices": {"z": 1, "a": 2, "m": 3}, "none": null, "paid": true,
    });
    BTreeMap::from([("order".to_owned(), order)])
}

fn evaluate(source: &str) -> Result<Value, Fault> {
    let data = data();
    let expr = Expr::compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    expr.evaluate(&Scope::new().with_map(&data))
}

fn check(source: &str, expected: Value) {
    assert_eq!(evaluate(source), Ok(expected), "{source}");
}

fn check_fault(source: &str, expected: &str) {
    let fault = evaluate(source).expect_err(source);
    assert_eq!(fault.message, expected, "{source}");
    assert_eq!(fault.expression, source);
}

fn check_refused(source: &str, expected: &str) {
    let error = Expr::compile(source).expect_err(source);
    assert_eq!(error.message, expected, "{source}");
}

#[test]
fn a_path_is_a_look_up() {
    check("order.id", json!("ORD-42"));
    check("order.none", Value::Null);
    check("order . id", json!("ORD-42"));
    assert!(matches!(
        Expr::compile("order.id").unwrap().form,
        Form::Path(_)
    ));
    assert!(matches!(
        Expr::compile("true").unwrap().form,
        Form::Program(_)
    ));
}

#[test]
fn a_path_that_is_missing_names_the_field() {
    check_fault(
        "order.nothing",
        "no field `nothing` in `order`, which is an object of 10 fields",
    );
    check_fault(
        "order.id.part",
        "no field `part` in `order.id`, which is \"ORD-42\"",
    );
    check_fault("invoice.id", "no value `invoice` here");
}

#[test]
fn integers_and_fractions_may_meet() {
    check("order.total * 2", json!(20));
    check("order.total * 1.5", json!(15.0));
    check("order.weight + order.total", json!(12.5));
    check("order.total / 4", json!(2));
    check("order.total / 4.0", json!(2.5));
    check("order.total % 3", json!(1));
    check("-order.total", json!(-10));
}

#[test]
fn large_integers_are_never_rounded() {
    check("order.big", json!(9_007_199_254_740_993_i64));
    check("order.big + 0", json!(9_007_199_254_740_993_i64));
    check("order.huge == order.huge ? order.huge : 0", json!(u64::MAX));
    check_fault(
        "order.big * 1.0",
        "9007199254740993 (int) * 1.0 (double) would round an integer beyond 2^53",
    );
    check_fault(
        "order.big * order.big",
        "9007199254740993 (int) * 9007199254740993 (int) does not fit in 64 bits",
    );
}

#[test]
fn a_failing_evaluation_is_a_fault() {
    check_fault("order.total / 0", "10 (int) divided by zero");
    check_fault("order.total % 0", "10 divided by zero");
    check_fault(
        "order.total > \"5\"",
        "`>` does not take 10 (int) and \"5\" (string)",
    );
    check_fault("null < null", "`<` does not take null and null");
    check_fault(
        "order.total + order.id",
        "`+` does not take 10 (int) and \"ORD-42\" (string)",
    );
    check_fault("order.missing > 5", "no field `missing`");
    check_fault("order.tags[7]", "no element 7");
    check_fault("missing + 1", "no value `missing` here");
    check_fault("order.id ? 1 : 2", "expected a bool, found a string");
    check_fault("!order.total", "`!` does not take (int)");
    check_fault(
        "1.0 / 3.0 * double(\"inf\")",
        "the result inf is not a number of JSON",
    );
}

#[test]
fn presence_and_choice() {
    check("has(order.id)", json!(true));
    check("has(order.nothing)", json!(false));
    check(
        "has(carrier.name) ? carrier.name : \"standard\"",
        json!("standard"),
    );
    check("order.total > 5 && order.paid", json!(true));
    check("order.none == null", json!(true));
    check("order.total == 10.0", json!(true));
    check("order.big == 9007199254740992.0", json!(false));
    check("order.big > 9007199254740992.0", json!(true));
    check("9007199254740992.0 < order.big", json!(true));
    check(
        "order.weight > 2 && order.weight < 3 && 2 < order.weight",
        json!(true),
    );
    check("-2 > -2.5 && -3 < -2.5 && 2.5 >= 2", json!(true));
    check(
        "order.id != 5 && order.tags == ['a', 'b'] && 'a' < 'b'",
        json!(true),
    );
    check_fault("carrier == null", "no value `carrier` here");
}

#[test]
fn text_functions() {
    check("order.id.startsWith(\"ORD\")", json!(true));
    check(
        "order.id.endsWith('42') && order.id.contains('-')",
        json!(true),
    );
    check("order.id.matches('^[A-Z]+-[0-9]+$')", json!(true));
    check("size(order.id)", json!(6));
    check(
        "\"id \" + order.id + \"/\" + string(order.total)",
        json!("id ORD-42/10"),
    );
    check("int('42') + 1", json!(43));
    check("type(order.total) == int", json!(true));
}

#[test]
fn lists_and_objects() {
    check("order.items.map(i, i.sku)", json!(["x", "y"]));
    check(
        "order.items.filter(i, i.price > 3).map(i, i.sku)",
        json!(["y"]),
    );
    check("order.items.all(i, i.price > 0)", json!(true));
    check("'a' in order.tags", json!(true));
    check("order.tags + ['c']", json!(["a", "b", "c"]));
    check(
        "{'b': order.total, 'a': [order.id]}",
        json!({"a": ["ORD-42"], "b": 10}),
    );
}

#[test]
fn objects_are_walked_in_the_order_of_their_keys() {
    for _ in 0..20 {
        check("order.prices.map(k, k)", json!(["a", "m", "z"]));
        check("{'q': 1, 'b': 2, 'x': 3}.map(k, k)", json!(["b", "q", "x"]));
    }
}

#[test]
fn roots_are_the_names_it_reads() {
    let roots = |source| Expr::compile(source).unwrap().roots();
    assert_eq!(roots("order.total"), ["order"]);
    assert_eq!(
        roots("a.b > c && has(d.e) || size(f) > 0"),
        ["a", "c", "d", "f"]
    );
    assert_eq!(roots("items.map(i, i.x + rate)"), ["items", "rate"]);
    assert_eq!(roots("type(x) == int ? {'k': y} : [z]"), ["x", "y", "z"]);
    assert!(roots("1 + 2").is_empty());
}

#[test]
fn what_is_not_an_expression_is_refused() {
    for source in [
        "",
        "order.",
        "1 +",
        "a b",
        "(",
        "order..id",
        "'open",
        "a ? b",
    ] {
        assert!(Expr::compile(source).is_err(), "{source}");
    }
    check_refused("now()", "no function `now`");
    check_refused("random()", "no function `random`");
    check_refused("order.total.sqrt()", "no function `sqrt`");
    check_refused("a.b.C{d: 1}", "messages cannot be made here");
    assert!(Expr::compile("order.?id").is_err());
    assert_eq!(
        Expr::compile("order.total + + 1").unwrap_err().offset,
        Some(14)
    );
}

#[test]
fn explosions_are_faults_or_refused() {
    let doubling = format!("[1,2,3,4,5,6,7,8]{}", ".map(x, [x, x])".repeat(20));
    let nested = "order.tags.map(a, order.tags.map(b, order.tags.map(c, 1)))".replace(
        "order.tags",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]",
    );
    let text = format!("[order.id]{}", ".map(x, x + x + x + x)".repeat(20));
    for source in [
        &doubling,
        &text,
        &nested.replace("1)))", "[1,2,3,4,5,6,7].map(d, d))))"),
    ] {
        if let Ok(expr) = Expr::compile(source) {
            let data = data();
            let fault = expr.evaluate(&Scope::new().with_map(&data)).unwrap_err();
            assert_eq!(fault.message, "more than 100000 steps", "{source}");
        }
    }
}

#[test]
fn a_large_result_is_a_fault() {
    let data = BTreeMap::from([("t".to_owned(), json!("x".repeat(RESULT_BYTES_MAX + 1)))]);
    for source in ["t", "t + ''"] {
        let expr = Expr::compile(source).unwrap();
        let fault = expr.evaluate(&Scope::new().with_map(&data)).unwrap_err();
        assert_eq!(fault.message, "the result is larger than 65536 bytes");
    }
}

#[test]
fn deep_sources_do_not_overflow_a_small_stack() {
    let deep = [
        "(".repeat(4000),
        format!("{}1{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}1{}", "(".repeat(199), ")".repeat(199)),
        format!("{}1{}", "[".repeat(199), "]".repeat(199)),
        "-".repeat(300) + "1",
        "!".repeat(300) + "true",
        vec!["a"; 390].join("+"),
        vec!["a"; 195].join("&&"),
        vec!["a.b"; 195].join("."),
        "a".to_owned() + &"[0]".repeat(199),
        "a ? b : ".repeat(190) + "c",
        "size(".repeat(199) + "a" + &")".repeat(199),
        "a".to_owned() + &".b()".repeat(130),
        "a".to_owned() + &".map(x, x)".repeat(90),
        "{'a':".repeat(100) + "1" + &"}".repeat(100),
    ];
    let run = move || {
        for source in deep {
            if let Ok(expr) = Expr::compile(&source) {
                let _ = expr.evaluate(&Scope::new());
            }
        }
    };
    let thread = std::thread::Builder::new()
        .stack_size(1536 << 10)
        .spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn it_is_stored_as_its_source() {
    let expr = Expr::compile("order.total > 5").unwrap();
    let text = serde_json::to_string(&expr).unwrap();
    assert_eq!(text, "\"order.total > 5\"");
    assert_eq!(serde_json::from_str::<Expr>(&text).unwrap(), expr);
    assert!(serde_json::from_str::<Expr>("\"1 +\"").is_err());
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Expr>();
}

#[test]
fn a_template_is_data_with_expressions_at_its_leaves() {
    let expr = |s| Template::Expr(Expr::compile(s).unwrap());
    let template = Template::Object(BTreeMap::from([
        ("id".to_owned(), expr("order.id")),
        (
            "list".to_owned(),
            Template::Array(vec![
                expr("order.total + 1"),
                Template::Literal(json!("=x")),
            ]),
        ),
    ]));
    let data = data();
    let value = template.evaluate(&Scope::new().with_map(&data)).unwrap();
    assert_eq!(value, json!({"id": "ORD-42", "list": [11, "=x"]}));
    assert_eq!(template.roots(), ["order"]);
    let fault = expr("order.gone").evaluate(&Scope::new().with_map(&data));
    assert!(fault.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_source_panics(source in "[a-c0-9 .()\\[\\]{}'\"+*/%<>=!&|?:,=-]{0,40}") {
        if let Ok(expr) = Expr::compile(&source) {
            let data = data();
            let first = expr.evaluate(&Scope::new().with_map(&data));
            prop_assert_eq!(first, expr.evaluate(&Scope::new().with_map(&data)));
        }
    }

    #[test]
    fn integers_survive(a in any::<i64>()) {
        let data = BTreeMap::from([("a".to_owned(), json!(a))]);
        let expr = Expr::compile("[a, a][1]").unwrap();
        prop_assert_eq!(expr.evaluate(&Scope::new().with_map(&data)), Ok(json!(a)));
    }
}
