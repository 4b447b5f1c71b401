//! Functions that are as their files say, and files that are refused.

use super::*;
use crate::deploy::lambda::{PipelineFormat, PipelineMode};

const DEFAULTS: &str = "runtime: python3.13\narchitecture: x86_64\nmemory_mb: 256\ntimeout_s: 900\nephemeral_mb: 512\nenvironment: {LEVEL: info}\npipeline: {mode: incremental, format: json, target: none, stale_after_h: 26}\n";
const USERS: &str = "source: okta\nendpoint: users\nfunctions:\n  list:\n    handler: handler.list\n    memory_mb: 512\n    environment: {A: b}\n";
const PIPELINE: &str = "pipeline:\n  schedule: rate(1 hour)\n";

fn folder(defaults: &str, lambda: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("okta/users")).unwrap();
    std::fs::write(folder.path().join("defaults.yaml"), defaults).unwrap();
    std::fs::write(folder.path().join("okta/users/lambda.yaml"), lambda).unwrap();
    folder
}

#[test]
fn what_a_function_does_not_say_is_as_the_defaults_say() {
    let folder = folder(DEFAULTS, USERS);
    let functions = lambda_functions(folder.path()).unwrap();
    let [function] = &functions[..] else { panic!("{functions:?}") };
    assert_eq!((function.memory_mb, function.timeout_s, function.runtime), (512, 900, Runtime::Python313));
    assert_eq!(
        function.environment.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(),
        ["A=b", "LEVEL=info"]
    );
    assert_eq!(function.folder, folder.path().join("okta/users"));
}

#[test]
fn without_defaults_they_are_those_of_this_project() {
    let folder = folder(DEFAULTS, &format!("{USERS}files: [regions.json, data]\n"));
    std::fs::remove_file(folder.path().join("defaults.yaml")).unwrap();
    let functions = lambda_functions(folder.path()).unwrap();
    assert_eq!((functions[0].timeout_s, functions[0].runtime), (900, Runtime::Python313));
    assert_eq!(functions[0].files, ["regions.json", "data"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lambdas/lib/defaults.yaml");
    let shipped = yaml::lambda_defaults_from_yaml(&folders::read(&shipped).unwrap(), &shipped).unwrap();
    assert_eq!(LambdaDefaults::default(), shipped);
}

#[test]
fn what_lambda_would_refuse_is_refused_with_its_line() {
    let long = format!("environment: {{A: {}}}", "x".repeat(5000));
    for (from, to, part) in [
        ("memory_mb: 512", "memory_mb: 64", "lambda.yaml:6:16: Lambda allows 128 to 10240"),
        ("memory_mb: 512", "timeout_s: 901", "lambda.yaml:6:16: Lambda allows 1 to 900"),
        ("memory_mb: 512", "ephemeral_mb: 1", "lambda.yaml:6:19: Lambda allows 512 to 10240"),
        ("handler.list", "list", "lambda.yaml:5:14: invalid handler `list`"),
        ("handler.list", "a.b.c", "invalid handler `a.b.c`"),
        ("{A: b}", "{AWS_REGION: b}", "lambda.yaml:7:18: `AWS_REGION` is set by Lambda itself"),
        ("{A: b}", "{LAMBDA_RUNTIME_DIR: b}", "`LAMBDA_RUNTIME_DIR` is set by Lambda itself"),
        ("{A: b}", "{_A: b}", "invalid variable name `_A`"),
        ("{A: b}", "{A: [b]}", "expected a string"),
        ("memory_mb: 512", "extension: ../x", "lambda.yaml:6:16: `../x` can't name an extension"),
        ("endpoint: users", "endpoint: groups", "differs from its endpoint name on disk, `users`"),
        ("source: okta", "source: github", "differs from its source name on disk, `okta`"),
        ("source: okta", "sauce: okta", "unknown key `sauce` (did you mean `source`?)"),
        ("environment: {A: b}", &long, "takes 5010 bytes; Lambda allows 4096"),
    ] {
        let error = lambda_functions(folder(DEFAULTS, &USERS.replace(from, to)).path()).unwrap_err();
        assert!(error.to_string().contains(part), "{to}: {error}");
    }
    for (pipeline, part) in [
        ("schedule: hourly", "lambda.yaml:9:13: invalid schedule `hourly`: write `rate(15 minutes)`"),
        ("{}", "missing"),
        (
            "schedule: rate(1 hour)\n  stale_after_h: 169",
            "lambda.yaml:10:18: an alarm can look back for 1 to 168",
        ),
        ("schedule: rate(1 hour)\n  target: ../x", "lambda.yaml:10:11: `../x` can't name a target"),
        ("schedule: rate(1 hour)\n  target: s3", "the target `s3` of the pipeline has no folder in"),
        ("schedule: rate(1 hour)\n  mode: window", "mode"),
    ] {
        let text = format!("{USERS}pipeline:\n  {pipeline}\n");
        let error = lambda_functions(folder(DEFAULTS, &text).path()).unwrap_err();
        assert!(error.to_string().contains(part), "{pipeline}: {error}");
    }
    let no_list = format!("{}{PIPELINE}", USERS.replace("list:", "get:"));
    let error = lambda_functions(folder(DEFAULTS, &no_list).path()).unwrap_err();
    assert!(error.to_string().contains("lambda.yaml:9:3: a pipeline runs `list`"), "{error}");
    let long = USERS.replace("  list:", &format!("  {}:", "x".repeat(50)));
    let error = lambda_functions(folder(DEFAULTS, &long).path()).unwrap_err();
    assert!(error.to_string().contains("has 71 characters; Lambda allows 64"), "{error}");
    let error = lambda_functions(folder(&DEFAULTS.replace("256", "1"), USERS).path()).unwrap_err();
    assert!(error.to_string().contains("defaults.yaml:3:12: Lambda allows"), "{error}");
    let error = lambda_functions(Path::new("nowhere")).unwrap_err();
    assert!(error.to_string().contains("no such folder of Lambda functions"), "{error}");
    for (files, part) in [
        ("[../other]", "lambda.yaml:8:9: invalid path `../other`: name a file or folder of this folder"),
        ("[/etc/hosts]", "invalid path `/etc/hosts`"),
        ("['']", "invalid path ``"),
        ("[a, ./b/../../c]", "invalid path `./b/../../c`"),
    ] {
        let error =
            lambda_functions(folder(DEFAULTS, &format!("{USERS}files: {files}\n")).path()).unwrap_err();
        assert!(error.to_string().contains(part), "{files}: {error}");
    }
}

#[test]
fn a_pipeline_has_what_the_defaults_say() {
    let folder = folder(DEFAULTS, &format!("{USERS}{PIPELINE}"));
    let functions = lambda_functions(folder.path()).unwrap();
    let pipeline = functions[0].pipeline.as_ref().unwrap();
    assert_eq!((pipeline.mode, pipeline.stale_after_h), (Some(PipelineMode::Incremental), Some(26)));
    assert_eq!((pipeline.target.as_ref(), pipeline.format), (None, Some(PipelineFormat::Json)));
}

#[test]
fn who_reads_has_other_credentials_than_who_writes() {
    let more = |auth: &str| format!("{USERS}  suspend:\n    handler: handler.suspend\n{auth}");
    let functions = lambda_functions(folder(DEFAULTS, &more("")).path()).unwrap();
    let auth: Vec<_> = functions.iter().map(|function| function.auth.as_deref().unwrap()).collect();
    assert_eq!(auth, ["okta-read", "okta-write"]);
    let functions = lambda_functions(folder(DEFAULTS, &more("    auth: none\n")).path()).unwrap();
    assert_eq!(functions[1].auth, None);
    let error = lambda_functions(folder(DEFAULTS, &more("    auth: okta-read\n")).path()).unwrap_err();
    let part = "`okta.users.list` reads and `okta.users.suspend` writes with the same credentials, `auth: okta-read`";
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn a_function_that_says_that_it_reads_has_the_credentials_of_those_that_read() {
    let more = |find: &str| format!("{USERS}  find:\n    handler: handler.find\n{find}");
    let read = |find: &str| lambda_functions(folder(DEFAULTS, &more(find)).path());
    let found = |find: &str| {
        let functions = read(find).unwrap();
        let auth = functions.iter().map(|each| each.auth.clone().unwrap()).collect::<Vec<_>>();
        (functions[0].reads, auth)
    };
    let (reader, writer) = ("okta-read".to_owned(), "okta-write".to_owned());
    assert_eq!(found("    reads: true\n"), (true, vec![reader.clone(), reader.clone()]));
    assert_eq!(found("    reads: false\n"), (false, vec![writer.clone(), reader.clone()]));
    assert_eq!(found(""), (false, vec![writer, reader]));
    assert!(read("    reads: true\n    auth: okta-read\n").is_ok());
    let error = read("    auth: okta-read\n").unwrap_err();
    assert!(error.to_string().contains("`okta.users.list` reads and `okta.users.find` writes"), "{error}");
    assert!(error.hint_text().unwrap().contains("one that changes nothing has `reads: true`"), "{error}");
    let get = format!("{USERS}  get:\n    handler: handler.get\n    reads: false\n    auth: okta-read\n");
    let error = lambda_functions(folder(DEFAULTS, &get).path()).unwrap_err();
    assert!(error.to_string().contains("`okta.users.list` reads and `okta.users.get` writes"), "{error}");
    let list = USERS.replace("memory_mb: 512", "reads: false");
    let error = lambda_functions(folder(DEFAULTS, &list).path()).unwrap_err();
    assert!(error.to_string().contains("lambda.yaml:6:12: `list` pulls, which changes nothing"), "{error}");
}
