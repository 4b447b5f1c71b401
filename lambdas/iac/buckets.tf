locals {
  bucket_suffix      = "${data.aws_caller_identity.this.account_id}-${var.region}"
  integration_bucket = coalesce(var.integration_bucket, "${var.prefix}-integration-${local.bucket_suffix}")
  data_bucket        = coalesce(var.data_bucket, "${var.prefix}-data-${local.bucket_suffix}")
}

# What is pulled comes here first, whole or not. Only manifests tell what counts.
module "integration_bucket" {
  source = "./modules/bucket"

  name           = local.integration_bucket
  kms_key_arn    = local.kms_key_arn
  force_destroy  = !var.deletion_protection
  log_bucket     = module.log_bucket.name
  retention_days = var.integration_retention_days
  # Objects lie below their source, whose name begins with a letter from a to z; manifests lie below `_circulate/`, and stay. So these
  # prefixes are all data there is, also of sources that are gone, and of those to come.
  retention_prefixes = split("", "abcdefghijklmnopqrstuvwxyz")
  noncurrent_days    = 1
}

# What is complete, and nothing else: for people, Athena, DuckDB, Spark.
module "data_bucket" {
  source = "./modules/bucket"

  name            = local.data_bucket
  kms_key_arn     = local.kms_key_arn
  force_destroy   = !var.deletion_protection
  log_bucket      = module.log_bucket.name
  noncurrent_days = 30
}

# Who read what, and when.
module "log_bucket" {
  source = "./modules/bucket"

  name               = "${var.prefix}-access-${local.bucket_suffix}"
  kms_key_arn        = null
  force_destroy      = !var.deletion_protection
  log_bucket         = null
  is_log_bucket      = true
  retention_days     = var.log_retention_days
  retention_prefixes = [local.integration_bucket, local.data_bucket]
  noncurrent_days    = 1
}
