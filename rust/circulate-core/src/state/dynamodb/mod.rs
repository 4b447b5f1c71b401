//! A DynamoDB table: the state of workers on many machines. The only user of aws-sdk-dynamodb.
//!
//! An item has the key `pk` and `sk`, its `version`, its content `doc` as a map, and `write`, a number that no other write
//! has. A write is conditional on the version, so its response can be "condition failed" although it happened: when
//! the response of its first attempt got lost and the SDK retried it. `write` shows which it was; without it a worker
//! would take itself for fenced off.
//!
//! Items of the ledger carry `expires_at` for the table's TTL. That only cleans up: DynamoDB removes expired items within
//! days, so they are treated as missing from the second they expire
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html>).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use super::{Expect, Item, ItemKey, StateStore};
use crate::aws::{Aws, Call, retry_partition, retry_statuses};
use crate::clock::later;
use crate::error::{Error, ErrorKind, Result};

mod table;

/// How long an item of the ledger is kept after it was written last.
const LEDGER_KEPT: Duration = Duration::from_hours(400 * 24);

/// Items in a table.
#[derive(Debug, Clone)]
pub struct DynamoTable {
    client: Client,
    table: String,
    region: String,
    clock: StoreClock,
}

type Attributes = HashMap<String, AttributeValue>;

impl DynamoTable {
    /// The state in `table`. No request is made.
    pub fn new(aws: &Aws, table: &str) -> Self {
        let clock = StoreClock::default();
        let config = aws_sdk_dynamodb::config::Builder::from(aws.config()).interceptor(clock.clone());
        let config = config.retry_partition(retry_partition()).retry_classifier(retry_statuses());
        Self {
            client: Client::from_conf(config.build()),
            table: table.to_owned(),
            region: aws.region().to_owned(),
            clock,
        }
    }

    fn call(&self, operation: &'static str, permissions: &'static str) -> Call<'_> {
        let resource = format!("arn:aws:dynamodb:{}:*:table/{}", self.region, self.table);
        Call {
            service: "DynamoDB",
            kind: ErrorKind::State,
            operation,
            permissions,
            allow_on: resource.clone(),
            resource,
            region: &self.region,
        }
    }

    async fn read(&self, key: &ItemKey) -> Result<Option<Attributes>> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_attributes(key)));
        let sent = get.consistent_read(true).send().await;
        sent.map(|output| output.item)
            .map_err(|error| self.call("read state", "dynamodb:GetItem").failed(&error))
    }

    /// The time of the newest response; requests one, if there was none yet.
    async fn recently(&self) -> Result<Timestamp> {
        match self.clock.newest() {
            Ok(time) => Ok(time),
            Err(_) => self.now().await,
        }
    }

    async fn write(&self, key: &ItemKey, doc: Value, expect: Expect) -> Result<Option<u64>> {
        let version = match expect {
            Expect::Absent => 1,
            Expect::Version(version) => version + 1,
        };
        let now = self.recently().await?;
        let write = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let mut attributes = key_attributes(key);
        attributes.insert("version".to_owned(), number(version));
        attributes.insert("write".to_owned(), AttributeValue::S(write.clone()));
        attributes.insert("doc".to_owned(), to_attribute(doc));
        if is_ledger(&key.sk) {
            let expires = later(now, LEDGER_KEPT).as_second();
            attributes.insert("expires_at".to_owned(), AttributeValue::N(expires.to_string()));
        }
        let put = self.client.put_item().table_name(&self.table).set_item(Some(attributes));
        let put = match expect {
            Expect::Absent => put
                .condition_expression("attribute_not_exists(pk) OR expires_at <= :now")
                .expression_attribute_values(":now", AttributeValue::N(now.as_second().to_string())),
            Expect::Version(expected) => put
                .condition_expression("version = :expected")
                .expression_attribute_values(":expected", number(expected)),
        };
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Some(version)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(there)) => {
                    let ours =
                        there.item().and_then(|item| item.get("write")) == Some(&AttributeValue::S(write));
                    Ok(ours.then_some(version))
                }
                _ => Err(self.call("write state", "dynamodb:PutItem").failed(&error)),
            },
        }
    }

    async fn query(&self, pk: &str, prefix: &str, limit: usize) -> Result<Vec<(ItemKey, Item)>> {
        let mut found = Vec::new();
        let mut from = None;
        loop {
            let query = self.client.query().table_name(&self.table);
            // A key cannot be compared with an empty text.
            let query = match prefix {
                "" => query.key_condition_expression("pk = :pk"),
                _ => query
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned())),
            };
            let page = query
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .scan_index_forward(false)
                .consistent_read(true)
                .limit(i32::try_from(limit - found.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| self.call("list state", "dynamodb:Query").failed(&error))?;
            let now = self.clock.newest()?;
            for attributes in page.items.unwrap_or_default() {
                let key = ItemKey { pk: pk.to_owned(), sk: text(&attributes, "sk")?.to_owned() };
                found.extend(item(attributes, now)?.map(|item| (key, item)));
            }
            from = page.last_evaluated_key;
            if from.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }
}

impl StateStore for DynamoTable {
    fn now(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(async {
            // Every response has DynamoDB's time; this is the cheapest request.
            let nothing = ItemKey { pk: "clock".to_owned(), sk: "clock".to_owned() };
            self.read(&nothing).await?;
            self.clock.newest()
        })
    }

    fn get<'a>(&'a self, key: &'a ItemKey) -> BoxFuture<'a, Result<Option<Item>>> {
        Box::pin(async move {
            let there = self.read(key).await?;
            there.map_or(Ok(None), |attributes| item(attributes, self.clock.newest()?))
        })
    }

    fn put<'a>(&'a self, key: &'a ItemKey, doc: Value, expect: Expect) -> BoxFuture<'a, Result<Option<u64>>> {
        Box::pin(self.write(key, doc, expect))
    }

    fn list<'a>(
        &'a self,
        pk: &'a str,
        prefix: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ItemKey, Item)>>> {
        Box::pin(self.query(pk, prefix, limit))
    }
}

/// The time in the `Date` header of the newest response, whose precision is a second.
#[derive(Debug, Clone, Default)]
struct StoreClock(Arc<Mutex<Option<Timestamp>>>);

impl StoreClock {
    fn newest(&self) -> Result<Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ok_or_else(|| {
            Error::new(ErrorKind::State, "read state", "DynamoDB's response has no `Date` header")
                .hint("leases are judged by the store's time; is a proxy in between that removes it?")
        })
    }
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            date.and_then(|date| Timestamp::try_from(date).ok());
        Ok(())
    }
}

/// Whether an item is one of many that are made with every run.
fn is_ledger(sk: &str) -> bool {
    sk.starts_with("run#") || sk.starts_with("task#")
}

fn key_attributes(key: &ItemKey) -> Attributes {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

/// The item in these attributes, unless it has expired.
fn item(mut attributes: Attributes, now: Timestamp) -> Result<Option<Item>> {
    if let Some(AttributeValue::N(expires)) = attributes.get("expires_at")
        && expires.parse().is_ok_and(|expires: i64| expires <= now.as_second())
    {
        return Ok(None);
    }
    let version = match attributes.get("version") {
        Some(AttributeValue::N(version)) => version.parse().ok(),
        _ => None,
    };
    let doc = attributes.remove("doc").map(from_attribute).transpose()?;
    match (version, doc) {
        (Some(version), Some(doc)) => Ok(Some(Item { doc, version })),
        _ => Err(foreign("an item has no `version` or no `doc`")),
    }
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Result<&'a str> {
    let value = attributes.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| foreign(&format!("an item has no text `{name}`")))
}

fn foreign(what: &str) -> Error {
    Error::new(ErrorKind::State, "read state", format!("{what}: the table holds something that is not ours"))
        .hint("give circulate a table of its own")
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn to_attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::Number(value) => AttributeValue::N(value.to_string()),
        Value::String(value) => AttributeValue::S(value),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(to_attribute).collect()),
        Value::Object(members) => {
            AttributeValue::M(members.into_iter().map(|(name, value)| (name, to_attribute(value))).collect())
        }
    }
}

fn from_attribute(value: AttributeValue) -> Result<Value> {
    Ok(match value {
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::N(value) => Value::Number(
            value.parse::<Number>().map_err(|error| foreign("a number can't be read").caused_by(error))?,
        ),
        AttributeValue::S(value) => Value::String(value),
        AttributeValue::L(values) => {
            Value::Array(values.into_iter().map(from_attribute).collect::<Result<_>>()?)
        }
        AttributeValue::M(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| Ok((name, from_attribute(value)?)))
                .collect::<Result<Map<_, _>>>()?,
        ),
        _ => return Err(foreign("an attribute is of a type that we never write")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, stand_in};

    async fn new_table(server: &str) -> DynamoTable {
        let table = DynamoTable::new(&stand_in(server).await, &format!("state-{:08x}", fastrand::u32(..)));
        assert!(table.create().await.unwrap(), "the table is new");
        table
    }

    fn key(sk: &str) -> ItemKey {
        ItemKey { pk: "okta#acme#users".to_owned(), sk: sk.to_owned() }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn dynamodb_passes_the_state_suite() {
        for server in ["MINISTACK", "MOTO"] {
            let table = new_table(server).await;
            testing::state_suite(|| table.clone()).await;
            assert!(!table.create().await.unwrap(), "a second making finds it there");
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn what_has_expired_is_gone_although_it_is_still_there() {
        for server in ["MINISTACK", "MOTO"] {
            let table = new_table(server).await;
            let mut old = key_attributes(&key("run#1"));
            old.insert("version".to_owned(), number(7));
            old.insert("doc".to_owned(), to_attribute(serde_json::json!({})));
            old.insert("expires_at".to_owned(), AttributeValue::N("1000".to_owned()));
            table.client.put_item().table_name(&table.table).set_item(Some(old)).send().await.unwrap();
            assert_eq!(table.get(&key("run#1")).await.unwrap(), None);
            assert_eq!(table.list(&key("").pk, "run#", 10).await.unwrap(), []);
            assert_eq!(table.put(&key("run#1"), Value::Null, Expect::Absent).await.unwrap(), Some(1));
            assert_eq!(table.get(&key("run#1")).await.unwrap().unwrap().version, 1);
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn only_the_ledger_expires() {
        let table = new_table("MINISTACK").await;
        for sk in ["head", "cursor#all", "run#1", "task#1#0"] {
            table.put(&key(sk), serde_json::json!({}), Expect::Absent).await.unwrap();
            let stored = table.read(&key(sk)).await.unwrap().unwrap();
            assert_eq!(stored.contains_key("expires_at"), sk.starts_with("run#") || sk.starts_with("task#"));
        }
    }

    #[tokio::test]
    #[ignore = "needs stand-ins for AWS: make test-rust"]
    async fn a_table_of_another_shape_is_refused() {
        let table = new_table("MINISTACK").await;
        table.put(&key("head"), Value::Null, Expect::Absent).await.unwrap();
        let mut foreign = key_attributes(&key("head"));
        foreign.insert("name".to_owned(), AttributeValue::S("not ours".to_owned()));
        table.client.put_item().table_name(&table.table).set_item(Some(foreign)).send().await.unwrap();
        let error = table.get(&key("head")).await.unwrap_err();
        assert!(error.to_string().contains("not ours"), "{error}");
    }

    #[test]
    fn json_comes_back_as_it_went() {
        let doc = serde_json::json!({"a": [1, -2, 0.5, u64::MAX, null, true, "é", ""], "b": {}, "c": []});
        assert_eq!(from_attribute(to_attribute(doc.clone())).unwrap(), doc);
    }
}
