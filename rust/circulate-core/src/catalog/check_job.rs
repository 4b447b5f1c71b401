//! What is wrong with a job that types alone do not show.

use std::collections::BTreeSet;

use super::job::{Job, JobParts, JobRequest};
use super::request::{BodySpec, QueryValue};
use super::source::Source;
use super::stream::StreamSpec;
use super::template::Template;
use super::wrong::{Wrong, wrong_path};

/// The names of a job and of its part in requests.
pub(super) const JOB: &str = "job";
pub(super) const PART: &str = "part";

/// A job makes the one list of a stream.
pub(super) fn check_job(stream: &StreamSpec) -> Vec<Wrong> {
    let Some(job) = &stream.job else { return Vec::new() };
    let mut wrongs = Vec::new();
    let mut wrong = |at: &str, why: &str| wrongs.push(Wrong::at(&format!("list.{at}"), why.to_owned()));
    let others = [
        ("parent", stream.parent.is_some()),
        ("partitions", stream.partitions.is_some()),
        ("polling", stream.polling.is_some()),
        ("incremental.window", stream.window().is_some()),
        ("incremental.durable", stream.durable().is_some()),
    ];
    for (key, _) in others.iter().filter(|(_, given)| *given) {
        wrong(key, "a run has one job, which makes the whole list: leave this out");
    }
    match (&job.status, &job.status_url) {
        (None, None) => wrong("job", "nothing says how far the job is: give `status` or `status_url`"),
        (Some(_), Some(_)) => {
            wrong("job.status_url", "the status has one address: give `status` or `status_url`");
        }
        _ => {}
    }
    if let Some(state) = &job.state {
        if state.done.is_empty() {
            wrong("job.state.done", "without a state that means `done` the job never ends");
        }
        if let Some(both) = state.done.iter().find(|done| state.failed.contains(done)) {
            wrong("job.state.failed", &format!("`{both}` means `done`, too"));
        }
    }
    if job.every.get().is_zero() {
        wrong("job.every", "without a pause between them requests would never end");
    }
    let has_urls = matches!(job.parts, Some(JobParts::Urls(_)));
    if has_urls && !stream.path.is_empty() {
        wrong("path", "the parts name addresses (`urls`): leave `path` out");
    }
    let known = names(job);
    for (at, request) in requests(job) {
        for name in placeholders(request) {
            let early = at == "job.submit" && name == JOB;
            if early || name == PART || (name == JOB && !known.contains(JOB)) {
                wrong(at, &format!("`{{{name}}}` is not known when this is requested"));
            }
        }
        if let Some(why) = wrong_path(&request.path.to_string()) {
            wrong(&format!("{at}.path"), &why);
        }
    }
    for name in [JOB, PART].into_iter().filter(|name| stream.uses(name) && !known.contains(name)) {
        let key = if name == JOB { "id" } else { "parts: {values: ...}" };
        wrong("job", &format!("the requests use `{{{name}}}`: say what it is by `{key}`"));
    }
    let is_distinguished = has_urls || known.iter().any(|name| stream.uses(name));
    if !is_distinguished {
        wrong("path", "nothing in the requests says which job's list they are for: use `{job}` or `{part}`");
    }
    wrongs
}

/// Placeholders of its requests are its own, or settings that may be shown.
pub(super) fn check_settings_of_job(source: &Source, stream: &StreamSpec) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    for (at, request) in stream.job.iter().flat_map(requests) {
        for name in placeholders(request).into_iter().filter(|name| ![JOB, PART].contains(name)) {
            let setting = source.settings.iter().find(|(key, _)| key.as_str() == name);
            let why = match setting {
                None => format!("`{{{name}}}` is neither `{{job}}` nor a setting of the source"),
                Some((_, setting)) if setting.secret => {
                    format!("`{{{name}}}` is a secret: only `auth` of the source puts secrets into requests")
                }
                Some(_) => continue,
            };
            wrongs.push(Wrong::at(&format!("list.{at}"), why));
        }
    }
    wrongs
}

/// The names that a job gives to requests.
pub(super) fn names<'n>(job: &Job) -> BTreeSet<&'n str> {
    let id = job.id.is_some().then_some(JOB);
    let part = matches!(job.parts, Some(JobParts::Values(_))).then_some(PART);
    id.into_iter().chain(part).collect()
}

fn requests(job: &Job) -> impl Iterator<Item = (&'static str, &JobRequest)> {
    let others = [("job.status", job.status.as_ref()), ("job.cancel", job.cancel.as_ref())];
    let others = others.into_iter().filter_map(|(at, request)| Some((at, request?)));
    [("job.submit", &job.submit)].into_iter().chain(others)
}

fn placeholders(request: &JobRequest) -> Vec<&str> {
    let in_query = request.query.values().flat_map(QueryValue::as_slice).map(|text| &text.text);
    let strings = request.headers.values().chain([&request.path]).chain(in_query);
    let mut names: Vec<_> = strings.flat_map(Template::placeholders).collect();
    names.extend(request.body.as_ref().map_or_else(Vec::new, BodySpec::placeholders));
    names
}
