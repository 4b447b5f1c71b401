# A function with everything that is its own: role, log group, queue for what could not be handled, alarms.

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  dynamic "statement" {
    for_each = var.permissions
    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = length(statement.value.keys) == 0 ? [] : [statement.value.keys]
        content {
          test     = "ForAllValues:StringLike"
          variable = "dynamodb:LeadingKeys"
          values   = condition.value
        }
      }
    }
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  statement {
    sid       = "Encryption"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }

  statement {
    sid     = "Traces"
    actions = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    # X-Ray has no resources to name.
    resources = ["*"]
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "What ${var.source_name}.${var.endpoint}.${var.operation} may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = local.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "permissions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.permissions.json
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

# Events that nobody waits for, and that failed for good.
resource "aws_sqs_queue" "dead_letters" {
  name                              = var.name
  message_retention_seconds         = 1209600
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
  tags                              = local.tags
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_117: it talks to public APIs only; a VPC would add a NAT gateway and no protection
  # checkov:skip=CKV_AWS_115: one stream is pulled by one function at a time, by a lease; a reserve would take from other functions of the account
  # checkov:skip=CKV_AWS_272: the zips are built where Terraform runs, and the same sources give the same bytes
  function_name = var.name
  description   = "${var.source_name}.${var.endpoint}: ${var.operation}"
  role          = aws_iam_role.this.arn

  filename         = var.zip
  source_code_hash = try(filebase64sha256(var.zip), null)
  handler          = var.handler
  runtime          = var.runtime
  architectures    = [var.architecture]
  layers           = var.layers
  memory_size      = var.memory_mb
  timeout          = var.timeout_s
  kms_key_arn      = var.kms_key_arn

  ephemeral_storage {
    size = var.ephemeral_mb
  }

  environment {
    variables = var.environment
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  logging_config {
    # Its lines are JSON already.
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  tags       = local.tags
  depends_on = [aws_iam_role_policy.this]

  # `circulate check lambdas` tells the same, with lines, and more; these are here so that nothing wrong is applied without it.
  lifecycle {
    precondition {
      condition     = var.folder == "${var.source_name}/${var.endpoint}"
      error_message = "${local.file}: source `${var.source_name}` and endpoint `${var.endpoint}` differ from its folder."
    }
    precondition {
      condition     = can(regex("(?m)^(async )?def ${local.handler_function}\\(|^${local.handler_function} *[:=]", local.handler_code))
      error_message = "${local.file}: there is no handler `${var.handler}`: ${local.handler_file} defines no `${local.handler_function}`, or is not there."
    }
    precondition {
      condition     = fileexists(var.zip)
      error_message = "${var.zip} is not there: run `make package` or `circulate package` first."
    }
    precondition {
      condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
      error_message = "${local.file}: memory_mb is ${var.memory_mb}; Lambda allows 128 to 10240."
    }
    precondition {
      condition     = var.timeout_s >= 1 && var.timeout_s <= 900
      error_message = "${local.file}: timeout_s is ${var.timeout_s}; Lambda allows 1 to 900."
    }
    precondition {
      condition     = var.ephemeral_mb >= 512 && var.ephemeral_mb <= 10240
      error_message = "${local.file}: ephemeral_mb is ${var.ephemeral_mb}; Lambda allows 512 to 10240."
    }
    precondition {
      condition     = length(var.layers) <= 5
      error_message = "${local.file}: the function has ${length(var.layers)} layers; Lambda allows 5."
    }
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "${local.file}: the environment takes ${local.environment_bytes} bytes, with what Terraform adds; Lambda allows 4096."
    }
    precondition {
      condition     = var.accounts == null ? true : length(var.accounts) > 0
      error_message = "${local.file}: no account of `${var.source_name}` is named: add it to `accounts`, such as { ${var.source_name} = [\"acme\"] }."
    }
    precondition {
      condition     = !var.has_extension || var.accounts == null ? true : length(var.accounts) == 1
      error_message = "${local.file}: an extension signs in to one account, and `accounts` names ${var.accounts == null ? 0 : length(var.accounts)} of `${var.source_name}`."
    }
    precondition {
      condition     = !var.has_extension || var.accounts == null ? true : anytrue([for name in keys(var.environment) : endswith(name, "_scopes")])
      error_message = "${local.file}: the extension does not know what to ask for: add circulate_token_scopes to `environment`, such as okta.users.read, or \"\" if the API knows no scopes."
    }
    precondition {
      condition     = !var.shared_with_writer
      error_message = "${local.file}: `${var.operation}` only reads, but has the same `auth` as a function that writes."
    }
  }
}

locals {
  file              = "lambdas/lib/${var.folder}/lambda.yaml"
  handler_function  = element(split(".", var.handler), 1)
  handler_file      = "lambdas/lib/${var.folder}/${element(split(".", var.handler), 0)}.py"
  handler_code      = try(file("${var.lib}/${var.folder}/${element(split(".", var.handler), 0)}.py"), "")
  environment_bytes = sum(concat([0], [for name, value in var.environment : length(name) + length(value)]))
  tags              = { source = var.source_name, endpoint = var.endpoint, operation = var.operation }
}
