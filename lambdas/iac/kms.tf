# One key encrypts everything at rest, but access logs, which S3 writes only with a key of its own. What may be read is decided by the permissions on each thing; the key adds that nobody outside of
# this AWS account can, and that deleting it makes all copies unreadable.

locals {
  kms_key_arn = var.kms_key_arn == null ? aws_kms_key.this[0].arn : var.kms_key_arn
  log_arns    = "arn:${data.aws_partition.this.partition}:logs:${var.region}:${data.aws_caller_identity.this.account_id}:log-group"
  root_arn    = "arn:${data.aws_partition.this.partition}:iam::${data.aws_caller_identity.this.account_id}:root"
}

resource "aws_kms_key" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  description         = "Everything of ${var.prefix}"
  enable_key_rotation = true

  # In the policy of a key, the resource `*` is the key itself: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "AsIamSays"
        Effect    = "Allow"
        Principal = { AWS = local.root_arn }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${var.region}.${data.aws_partition.this.dns_suffix}" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = {
          ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "${local.log_arns}:*/${var.prefix}-*" }
        }
      },
      ], [for statement in [
        {
          # Without the key, nothing that it encrypted can be read again.
          Sid       = "NotByAccident"
          Effect    = "Deny"
          Principal = { AWS = "*" }
          Action    = ["kms:ScheduleKeyDeletion", "kms:DisableKey"]
          Resource  = "*"
        },
    ] : statement if var.deletion_protection])
  })
}

resource "aws_kms_alias" "this" {
  count = var.kms_key_arn == null ? 1 : 0

  name          = "alias/${var.prefix}"
  target_key_id = aws_kms_key.this[0].key_id
}
