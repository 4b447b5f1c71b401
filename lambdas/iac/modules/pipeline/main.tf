# The state machine of a stream, and the schedules that start it: for each account one, and one more for full refreshes.

data "aws_partition" "this" {}
data "aws_caller_identity" "this" {}

locals {
  starts = merge([
    for account in var.accounts : merge(
      { "${account}-${var.mode}" = { account = account, mode = var.mode, schedule = var.schedule } },
      var.full_refresh == null ? {} : { "${account}-refresh" = { account = account, mode = "full", schedule = var.full_refresh } },
    )
  ]...)

  # As EventBridge Scheduler writes them; `circulate check lambdas` looks closer.
  schedule = "^(rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)|cron\\([0-9*/,-]+ [0-9*/,-]+ [0-9*/,?LW-]+ [0-9A-Z*/,-]+ [0-9A-Z*/,?#-]+ [0-9*/,-]+\\))$"
}

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
  statement {
    sid       = "Invoke"
    actions   = ["lambda:InvokeFunction"]
    resources = concat([var.function_arn], [for arn in [var.target_arn] : arn if local.has_target], [for arn in [var.registrar_arn] : arn if var.has_registrar])
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
  description        = "What the pipeline of ${var.stream} may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "this" {
  name   = "permissions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_sfn_state_machine" "this" {
  name       = var.name
  role_arn   = aws_iam_role.this.arn
  definition = jsonencode(local.definition)

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
      condition     = !local.has_target || var.target_arn != null
      error_message = "${var.file}: there is no target `${var.target}`: it would be lambdas/lib/targets/${var.target}/lambda.yaml with a function `promote`."
    }
  }
}

data "aws_iam_policy_document" "start_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "start" {
  statement {
    sid       = "Start"
    actions   = ["states:StartExecution"]
    resources = [aws_sfn_state_machine.this.arn]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [var.dead_letters_arn]
  }

  statement {
    sid       = "Encryption"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "start" {
  name               = "${var.name}-run"
  description        = "What the schedules of ${var.stream} may do"
  assume_role_policy = data.aws_iam_policy_document.start_trust.json
}

resource "aws_iam_role_policy" "start" {
  name   = "permissions"
  role   = aws_iam_role.start.id
  policy = data.aws_iam_policy_document.start.json
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.starts

  name                         = "${replace(var.stream, ".", "-")}-${each.key}"
  group_name                   = var.group
  description                  = "${var.stream} of ${each.value.account}: ${each.value.mode}"
  schedule_expression          = each.value.schedule
  schedule_expression_timezone = "UTC"
  state                        = var.paused ? "DISABLED" : "ENABLED"
  kms_key_arn                  = var.kms_key_arn

  # Not all of them at the same second.
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 2
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.start.arn
    input    = jsonencode({ account = each.value.account, mode = each.value.mode })

    # A schedule that fires twice does no harm, one that comes hours late neither helps.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }

    dead_letter_config {
      arn = var.dead_letters_arn
    }
  }

  depends_on = [aws_iam_role_policy.start]

  lifecycle {
    precondition {
      condition     = can(regex(local.schedule, each.value.schedule))
      error_message = "${var.file}: invalid schedule `${each.value.schedule}`: write rate(15 minutes), or cron(0 3 ? * SUN *)."
    }
    precondition {
      condition     = length("${replace(var.stream, ".", "-")}-${each.key}") <= 64
      error_message = "${var.file}: the name of the schedule for the account ${each.value.account} has more than 64 characters: choose a shorter name for the account."
    }
    precondition {
      condition     = contains(["incremental", "full"], each.value.mode)
      error_message = "${var.file}: mode is `${each.value.mode}`; a pipeline pulls `incremental` or `full`."
    }
  }
}
