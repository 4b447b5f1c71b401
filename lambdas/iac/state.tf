# Cursors, leases and the ledger of runs of all streams. The attributes are those that `circulate state init` makes a table with.

resource "aws_dynamodb_table" "state" {
  name                        = var.prefix
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = local.kms_key_arn
  }

  lifecycle {
    precondition {
      condition     = local.integration_bucket != local.data_bucket
      error_message = "integration_bucket and data_bucket are two: what is pulled expires, and what is there for readers does not."
    }
  }
}
