use super::*;

fn topics() -> Topics {
    Topics::new("shop").unwrap()
}

#[test]
fn an_image_comes_back_under_its_saga_id() {
    let id = SagaId::new("order", "a b").unwrap();
    for document in [None, Some(b"1M:".as_slice())] {
        let out = encode_image(&topics(), 3, &id, document);
        assert_eq!(
            (out.topic.as_str(), out.partition),
            ("shop.journal", Some(3))
        );
        assert_eq!(out.key.as_deref(), Some(b"order/a%20b".as_slice()));
        let expected = JournalRecord::Image {
            id: id.clone(),
            document: document.map(<[u8]>::to_vec),
        };
        assert_eq!(decode(&out.received(3, 1, 1)), Ok(expected));
    }
}

#[test]
fn a_header_comes_back() {
    let header = LaneHeader {
        end: 42,
        counters: BTreeMap::from([("completed:order".to_owned(), 7)]),
        owner: "shop.engine.host.0".to_owned(),
    };
    let out = encode_header(&topics(), 3, &header);
    assert_eq!(out.key.as_deref(), Some(b"@lane".as_slice()));
    assert_eq!(
        decode(&out.received(3, 1, 1)),
        Ok(JournalRecord::Header(header))
    );
}

#[test]
fn foreign_records_are_refused_with_their_place() {
    let foreign = |key: Option<&[u8]>, value: Option<&[u8]>| {
        let mut out = encode_header(&topics(), 3, &LaneHeader::default());
        out.key = key.map(<[u8]>::to_vec);
        out.value = value.map(<[u8]>::to_vec);
        decode(&out.received(3, 9, 1)).unwrap_err()
    };
    assert!(matches!(foreign(None, None), Error::Key { .. }));
    assert!(matches!(foreign(Some(b"\xff"), None), Error::Key { .. }));
    assert!(matches!(foreign(Some(b"x"), None), Error::Id { .. }));
    let error = foreign(Some(b"@lane"), Some(b"{}")).to_string();
    assert!(error.starts_with("journal record shop.journal/3/9: lane header: missing field `end`"));
    assert!(matches!(
        foreign(Some(b"@lane"), None),
        Error::Header { .. }
    ));
}
