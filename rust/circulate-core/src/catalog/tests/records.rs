use super::*;

fn records(yaml: &str) -> Result<RecordsSpec, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

#[test]
fn records_are_read_and_written_as_the_same_text() {
    for (yaml, json) in [
        ("/data/items", r#""/data/items""#),
        ("''", r#""""#),
        ("/groups/*/users", r#""/groups/*/users""#),
        ("'/*'", r#""/*""#),
        ("/a~1b/~2/*", r#""/a~1b/~2/*""#),
        ("{map: /users}", r#"{"map":"/users"}"#),
        ("{map: ''}", r#"{"map":""}"#),
        ("{scalars: /groups/*/ids}", r#"{"scalars":"/groups/*/ids"}"#),
    ] {
        let read = records(yaml).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json, "{yaml}");
        assert_eq!(serde_json::from_str::<RecordsSpec>(json).unwrap(), read);
    }
}

#[test]
fn a_star_is_each_element_and_a_member_of_that_name_is_written_otherwise() {
    let pointer = RecordsPointer::try_from("/~2/*/a*/~01".to_owned()).unwrap();
    assert_eq!(pointer.segments(), ["*", "*", "a*", "~1"]);
    assert_eq!((pointer.each(), pointer.location(3, 7)), (Some(1), "/~2/7/a*".to_owned()));
    assert_eq!(RecordsPointer::try_from("/a~2".to_owned()).unwrap().segments(), ["a~2"]);
}

#[test]
fn what_says_no_place_of_records_is_refused_with_what_would() {
    for (yaml, part) in [
        ("items", "is not a JSON Pointer: it starts with `/`"),
        ("/a/*/b/*", "has more than one `*`"),
        ("7", "a JSON Pointer such as `/data/items`, `{map: /users}`"),
        ("[/a]", "a JSON Pointer such as `/data/items`, `{map: /users}`"),
        ("{}", "write either `map`, `scalars` or `one`"),
        ("{map: /a, scalars: /b}", "write either `map`, `scalars` or `one`"),
        ("{map: }", "write either `map`, `scalars` or `one`"),
        ("{maps: /a}", "maps"),
        ("{map: a}", "it starts with `/`"),
        ("{one: /a/*/b}", "its JSON Pointer has no `*`"),
        ("{one: /a, map: /b}", "write either `map`, `scalars` or `one`"),
    ] {
        let error = records(yaml).unwrap_err();
        assert!(error.contains(part), "{yaml}: {error}");
    }
}

#[test]
fn a_primary_key_is_a_list_or_the_word_none() {
    let read = |yaml: &str| serde_saphyr::from_str::<PrimaryKey>(yaml).map_err(|error| error.to_string());
    for (yaml, json) in [("[/id, /a/b]", r#"["/id","/a/b"]"#), ("none", r#""none""#)] {
        assert_eq!(serde_json::to_string(&read(yaml).unwrap()).unwrap(), json);
    }
    assert!(read("/id").unwrap_err().contains("write `[/id]`"));
    assert!(read("nil").unwrap_err().contains("or write `none`"));
    assert!(read("{a: 1}").unwrap_err().contains("or `none`"));
}
