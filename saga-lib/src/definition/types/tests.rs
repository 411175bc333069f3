use super::*;

/// Levels that each name the level below twice.
const LEVELS: usize = 40;

/// Records `L0` to `L39` in one schema, each but the first with two fields of the record before it.
fn avro() -> String {
    let level = |i: usize| {
        let fields = match i.checked_sub(1) {
            Some(below) => format!(
                "{{\"name\":\"l\",\"type\":\"L{below}\"}},{{\"name\":\"r\",\"type\":\"L{below}\"}}"
            ),
            None => "{\"name\":\"x\",\"type\":\"int\"}".to_owned(),
        };
        format!(
            "{{\"name\":\"f{i}\",\"type\":{{\"type\":\"record\",\"name\":\"L{i}\",\"fields\":[{fields}]}}}}"
        )
    };
    let levels: Vec<String> = (0..LEVELS).map(level).collect();
    let levels = levels.join(",");
    format!("{{\"type\":\"record\",\"name\":\"Root\",\"fields\":[{levels}]}}")
}

/// The same by references, and a text that each level carries along.
fn json_schema() -> String {
    let level = |i: usize| {
        let below = format!("{{\"$ref\":\"#/$defs/L{}\"}}", i + 1);
        format!(
            "\"L{i}\":{{\"type\":\"object\",\"properties\":{{\"l\":{below},\"r\":{below},\"x\":{{\"type\":\"string\"}}}}}}"
        )
    };
    let levels: Vec<String> = (0..LEVELS).map(level).collect();
    format!(
        "{{\"$ref\":\"#/$defs/L0\",\"$defs\":{{{}}}}}",
        levels.join(",")
    )
}

/// Fields of the record at `path`.
fn fields(slot: &Slot, path: &[&str]) -> Rc<BTreeMap<String, Slot>> {
    let path: Vec<String> = path.iter().map(|&name| name.to_owned()).collect();
    match slot.follow(&path) {
        Found::Slot(slot, _) => match &slot.r#type {
            Type::Record { fields, .. } => Rc::clone(fields),
            other => panic!("{path:?}: {}", other.describe()),
        },
        other => panic!("{path:?}: {other:?}"),
    }
}

#[test]
fn a_record_named_twice_per_level_is_held_once() {
    let root = parse("E.avsc", &avro()).expect("a schema");
    let sides = [
        fields(&root, &["f39", "l"]),
        fields(&root, &["f39", "r"]),
        fields(&root, &["f38"]),
    ];
    assert!(Rc::ptr_eq(&sides[0], &sides[1]) && Rc::ptr_eq(&sides[1], &sides[2]));
    let mut path = vec!["f39"];
    path.extend(["l", "r"].iter().cycle().take(LEVELS - 1));
    assert!(fields(&root, &path).contains_key("x"));
}

#[test]
fn a_part_referred_to_twice_per_level_is_read_once() {
    let root = parse("E.json", &json_schema()).expect("a schema");
    assert!(Rc::ptr_eq(&fields(&root, &["l"]), &fields(&root, &["r"])));
    // As deep as a schema is followed, on the way that is read last; half of the depth are references.
    let path = ["r"; DEPTH_MAX / 2 - 1];
    assert!(fields(&root, &path).contains_key("x"));
}

#[test]
fn a_reference_to_what_is_around_it_is_followed_as_deep_as_any() {
    let round = "{\"type\":\"object\",\"properties\":{\"next\":{\"$ref\":\"#\"},\"x\":{\"type\":\"string\"}}}";
    let root = parse("E.json", round).expect("a schema");
    let path = ["next"; DEPTH_MAX / 2 - 1];
    assert!(fields(&root, &path).contains_key("x"));
}
