# Plans, approvals and rows of operations that change something. It is a table of its own because targets may write all of the state table.
# The attributes are those of state.tf.

locals {
  has_ledger = length(local.deployed_writers) > 0 || length(local.playbooks) > 0
  ledger_arn = one(aws_dynamodb_table.ledger[*].arn)
  ledger     = one([for table in aws_dynamodb_table.ledger : "dynamodb://${table.name}"])
}

resource "aws_dynamodb_table" "ledger" {
  count = local.has_ledger ? 1 : 0

  name                        = "${var.prefix}-operations"
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
}

# What somebody needs who approves plans. It is attached to nobody: who may approve is yours to say.
data "aws_iam_policy_document" "approvers" {
  count = local.has_ledger ? 1 : 0

  statement {
    sid       = "OwnApprovals"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [local.ledger_arn]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      # IAM puts in who asks: nobody else can write an approval of that name.
      values = ["approval#$${aws:userid}"]
    }
  }

  statement {
    sid       = "Plans"
    actions   = ["dynamodb:GetItem", "dynamodb:Query"]
    resources = [local.ledger_arn]
    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["operations#*"]
    }
  }

  statement {
    sid       = "Time"
    actions   = ["dynamodb:GetItem"]
    resources = [local.ledger_arn]
    condition {
      test     = "ForAllValues:StringEquals"
      variable = "dynamodb:LeadingKeys"
      values   = ["clock"]
    }
  }

  statement {
    sid       = "Encryption"
    actions   = ["kms:Decrypt"]
    resources = [local.kms_key_arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["dynamodb.${var.region}.${data.aws_partition.this.dns_suffix}"]
    }
  }
}

resource "aws_iam_policy" "approvers" {
  count = local.has_ledger ? 1 : 0

  name        = "${var.prefix}-approvers"
  description = "Read plans of operations, and approve them in one's own name"
  policy      = data.aws_iam_policy_document.approvers[0].json
}
