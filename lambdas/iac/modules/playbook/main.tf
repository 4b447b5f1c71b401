# The state machine of a playbook. Somebody starts it; no schedule does.

data "aws_caller_identity" "this" {}

resource "aws_cloudwatch_log_group" "this" {
  # States' own prefix keeps their policy within its limit of size.
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["states.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  # None are there as long as those that it invokes are not deployed, which is refused below.
  dynamic "statement" {
    for_each = length(var.invokes) == 0 ? [] : [var.invokes]
    content {
      sid       = "Invoke"
      actions   = ["lambda:InvokeFunction"]
      resources = statement.value
    }
  }

  statement {
    sid = "Logs"
    actions = [
      "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
      "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
    ]
    # These have no resources to name: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    resources = ["*"]
  }

  statement {
    sid       = "Traces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "What the playbook ${var.playbook} may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "permissions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_sfn_state_machine" "this" {
  name     = var.name
  role_arn = aws_iam_role.this.arn
  # Without its file there is none; the precondition says so.
  definition = fileexists(var.file) ? templatefile(var.file, { functions = var.functions }) : "{}"

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.file)
      error_message = "${local.file} is not there: is there a playbook of that name, and are its functions in lambdas/lib? `circulate package` writes the files of those."
    }
    precondition {
      condition     = length(var.unnamed) == 0
      error_message = "${local.file} calls operations whose functions are not deployed: add them to `write_operations`: ${jsonencode(var.unnamed)}."
    }
    precondition {
      condition     = length(var.sources) == 0
      error_message = "${local.file} calls operations of sources that are not deployed: add them to `sources`: ${jsonencode(var.sources)}."
    }
    precondition {
      condition     = length(var.unknown) == 0
      error_message = "${local.file} invokes functions that no lambda.yaml in lambdas/lib describes: ${join(", ", var.unknown)}."
    }
  }
}

locals {
  file = "lambdas/.build/playbooks/${basename(var.file)}"
}
