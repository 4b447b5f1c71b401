//! Making the table.

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    PointInTimeRecoveryStatus, ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::time::Duration;

use super::DynamoTable;
use crate::error::{Error, ErrorKind, Result};

/// How often a new table is looked at, and how many times.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOKS: u32 = 120;

/// The table's key.
const KEY: [(&str, KeyType); 2] = [("pk", KeyType::Hash), ("sk", KeyType::Range)];

impl DynamoTable {
    /// Makes the table if there is none: paid by request, items expire by `expires_at`, recoverable to any point in time,
    /// protected from deletion. Returns whether it was made. A table of another shape is refused.
    pub async fn create(&self) -> Result<bool> {
        let attribute = |name| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let key = |(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let wrong = |error| self.error("cannot describe the table").caused_by(error);
        let created = self
            .client
            .create_table()
            .table_name(&self.table)
            .set_attribute_definitions(Some(
                KEY.map(|(name, _)| attribute(name)).into_iter().collect::<Result<_, _>>().map_err(wrong)?,
            ))
            .set_key_schema(Some(KEY.map(key).into_iter().collect::<Result<_, _>>().map_err(wrong)?))
            .billing_mode(BillingMode::PayPerRequest)
            .deletion_protection_enabled(true)
            .send()
            .await;
        let new = match created {
            Ok(_) => true,
            Err(error) => match error.as_service_error() {
                Some(CreateTableError::ResourceInUseException(_)) => false,
                _ => return Err(self.call("make table", "dynamodb:CreateTable").failed(&error)),
            },
        };
        self.wait_until_active().await?;
        // An earlier making may have got no further than the table.
        if !self.items_expire().await? {
            self.expire_items().await?;
        }
        if !self.backups_are_kept().await? {
            self.keep_backups().await?;
        }
        Ok(new)
    }

    async fn wait_until_active(&self) -> Result<()> {
        for _ in 0..LOOKS {
            let described = self.client.describe_table().table_name(&self.table).send().await;
            let described = described
                .map_err(|error| self.call("look at table", "dynamodb:DescribeTable").failed(&error))?;
            if self.is_active(described)? {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(self.error("the table is still being made").hint("look again later"))
    }

    fn is_active(&self, described: DescribeTableOutput) -> Result<bool> {
        let table = described.table.ok_or_else(|| self.error("DynamoDB does not describe the table"))?;
        let schema = table.key_schema.unwrap_or_default();
        let key = schema.iter().map(|part| (part.attribute_name.as_str(), part.key_type.clone()));
        let strings = table.attribute_definitions.unwrap_or_default().iter().all(|attribute| {
            KEY.iter().all(|(name, _)| attribute.attribute_name != *name)
                || attribute.attribute_type == ScalarAttributeType::S
        });
        if !key.eq(KEY) || !strings {
            return Err(self
                .error("there is a table of this name with another key")
                .hint("choose another name: state needs the text keys `pk` and `sk`"));
        }
        Ok(table.table_status == Some(TableStatus::Active))
    }

    async fn items_expire(&self) -> Result<bool> {
        let described = self.client.describe_time_to_live().table_name(&self.table).send().await;
        let described = described
            .map_err(|error| self.call("look at table", "dynamodb:DescribeTimeToLive").failed(&error))?;
        let status = described.time_to_live_description.and_then(|described| described.time_to_live_status);
        Ok(matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)))
    }

    async fn backups_are_kept(&self) -> Result<bool> {
        let described = self.client.describe_continuous_backups().table_name(&self.table).send().await;
        let described = described.map_err(|error| {
            self.call("look at table", "dynamodb:DescribeContinuousBackups").failed(&error)
        })?;
        let backups = described.continuous_backups_description;
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(status == Some(PointInTimeRecoveryStatus::Enabled))
    }

    async fn expire_items(&self) -> Result<()> {
        let rule = TimeToLiveSpecification::builder().attribute_name("expires_at").enabled(true).build();
        let rule = rule.map_err(|error| self.error("cannot describe the table").caused_by(error))?;
        let set = self.client.update_time_to_live().table_name(&self.table).time_to_live_specification(rule);
        let set = set.send().await;
        set.map(drop)
            .map_err(|error| self.call("set expiry of items", "dynamodb:UpdateTimeToLive").failed(&error))
    }

    async fn keep_backups(&self) -> Result<()> {
        let rule = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
        let rule = rule.map_err(|error| self.error("cannot describe the table").caused_by(error))?;
        let mut looks = 0;
        loop {
            let set = self.client.update_continuous_backups().table_name(&self.table);
            let set = set.point_in_time_recovery_specification(rule.clone()).send().await;
            let Err(error) = set else { return Ok(()) };
            // A new table's backups are turned on shortly after the table is there.
            let not_yet = error.code() == Some("ContinuousBackupsUnavailableException");
            if !not_yet || looks == LOOKS {
                let call = self.call("turn on point-in-time recovery", "dynamodb:UpdateContinuousBackups");
                return Err(call.failed(&error));
            }
            looks += 1;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn error(&self, message: &str) -> Error {
        Error::new(ErrorKind::State, "make table", message)
            .with("table", &self.table)
            .with("region", &self.region)
    }
}
