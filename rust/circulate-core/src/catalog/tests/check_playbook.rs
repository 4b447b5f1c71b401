use std::path::PathBuf;

use super::*;

const GOOD: &str = "\
playbook: contain
about: Contains.
inputs: {login: {about: Who.}}
steps:
  - {id: user, operation: okta.users.get, parameters: {id: '{inputs/login}'}}
  - id: suspend
    operation: okta.users.suspend
    parameters: {id: '{steps/user/returned/id}'}
    success_criteria: {/status: [complete]}
    on_failure: undo
";

fn read_it(text: &str) -> Result<Playbook> {
    let shipped = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../python/circulate_core/catalog");
    playbook_from_yaml(text, Path::new("contain.yaml"), &Catalog::new(vec![shipped]))
}

#[test]
fn a_playbook_is_read_and_says_the_same_when_it_is_written() {
    let playbook = read_it(GOOD).unwrap();
    assert_eq!(playbook.steps.len(), 2);
    let written = serde_json::to_string(&playbook).unwrap();
    assert_eq!(read_it(&written).unwrap(), playbook);
}

#[test]
fn whatever_is_wrong_is_named_with_its_line() {
    for (right, wrong, line, why) in [
        ("okta.users.suspend", "okta.users.supend", 7, "did you mean `suspend`?"),
        ("okta.users.suspend", "okta.user.suspend", 7, "did you mean `okta.users`?"),
        ("okta.users.suspend", "suspend", 7, "write `source.endpoint.operation`"),
        ("{id: '{steps/", "{di: '{steps/", 8, "has no parameter `di` (did you mean `id`?)"),
        (
            "{id: '{steps/",
            "{di: '{steps/",
            6,
            "needs the parameter `id`: Id, login, or short login of the user.",
        ),
        ("'{steps/user/returned/id}'", "me", 8, "invalid `id`: this value is not allowed"),
        ("{steps/user/returned/id}", "{inputs/logn}", 8, "did you mean `{inputs/login}`?"),
        (
            "{steps/user/returned/id}",
            "{steps/usr/returned/id}",
            8,
            "no earlier step `usr` (did you mean `user`?)",
        ),
        ("{steps/user/returned/id}", "{steps/suspend/status}", 8, "no result before it is done"),
        (
            "{steps/user/returned/id}",
            "{steps/user/status}",
            8,
            "the members of its result are operation, account, returned",
        ),
        ("{steps/user/returned/id}", "{login}", 8, "write `{inputs/NAME}` or `{steps/ID/MEMBER}`"),
        ("{steps/user/returned/id}", "{inputs/login:number}", 8, "leave `:number` out"),
        ("{inputs/login}", "{steps/suspend/status}", 5, "the step `suspend` comes later"),
        ("{inputs/login}", "somebody", 3, "no step uses `{inputs/login}`"),
        ("about: Who.", "about: Who., optional: true", 3, "leave `optional` out"),
        ("id: suspend", "id: user", 6, "there is a step `user` already"),
        ("/status: [complete]", "/stats: [complete]", 9, "the members of its result are"),
        ("/status: [complete]", "/status: []", 9, "name at least one"),
        ("/status: [complete]", "/status: [[complete]]", 9, "a value is a text, a number"),
        ("/status: [complete]", "status: [complete]", 9, "is not a JSON Pointer"),
        ("on_failure: undo", "on_failure: undoo", 10, "did you mean `undo`?"),
        ("on_failure: undo", "onFailure: undo", 10, "unknown key `onFailure`"),
    ] {
        let error = read_it(&GOOD.replace(right, wrong)).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains(&format!("contain.yaml:{line}:")), "{wrong}: {error}");
    }
    let empty = "playbook: x\nabout: X.\nsteps: []\n";
    assert!(read_it(empty).unwrap_err().to_string().contains("at least one step"));
}

#[test]
fn all_that_is_wrong_is_named_at_once() {
    let text = GOOD.replace("suspend\n", "supend\n").replace("{inputs/login}", "{inputs/who}");
    let error = read_it(&text).unwrap_err().to_string();
    for why in ["did you mean `suspend`?", "there is no input `who`", "no step uses `{inputs/login}`"] {
        assert!(error.contains(why), "{error}");
    }
}
