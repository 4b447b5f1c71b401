data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

locals {
  secret_arns = "arn:${data.aws_partition.this.partition}:secretsmanager:${var.region}:${data.aws_caller_identity.this.account_id}:secret"
  integration = "s3://${local.integration_bucket}"
  data        = "s3://${local.data_bucket}"
  state       = "dynamodb://${aws_dynamodb_table.state.name}"

  # By kind: functions pull into the integration bucket, and targets bring what is there to the data bucket; those that call an operation
  # store nothing, but for the ledger of what changes something. All of it is known before anything is made, so a plan shows it.
  environments = {
    for name, function in local.functions : name => merge(
      !function.is_target && !function.is_list ? {} : {
        # Nobody else can have made a bucket of this name.
        CIRCULATE_EXPECTED_BUCKET_OWNER = data.aws_caller_identity.this.account_id
      },
      (!function.is_target && !function.is_list) || function.is_registrar ? {} : {
        CIRCULATE_STATE = local.state
      },
      function.is_registrar ? {
        CIRCULATE_FROM     = local.data
        CIRCULATE_TO       = "${local.data}/${local.tables_folder}"
        CIRCULATE_DATABASE = local.database
      } : {},
      function.is_target && !function.is_registrar ? {
        CIRCULATE_FROM    = local.integration
        CIRCULATE_TO      = local.data
        CIRCULATE_COMPACT = tostring(var.compact)
      } : {},
      !function.is_list ? {} : {
        CIRCULATE_TO = local.integration
        # What is to be brought to a target is committed by it: not before it is there.
        CIRCULATE_COMMIT = try(local.pipelines[name].target, "none") == "none" ? "auto" : "pending"
        CIRCULATE_FORMAT = try(local.pipelines[name].format, local.defaults.pipeline.format)
      },
      # Where plans, approvals and rows of what changes something are.
      !function.is_writer ? {} : { CIRCULATE_LEDGER = local.ledger },
      function.is_target ? {} : {
        "${upper(function.source)}_ACCOUNTS" = join(",", lookup(var.accounts, function.source, []))
      },
      # The extension reads the credentials instead of the function.
      function.auth == "none" ? {} : function.extension == "none" ? {
        "${upper(function.source)}_SECRET" = "${var.prefix}/${function.auth}/{account}"
        } : {
        "${replace(function.extension, "-", "_")}_source" = function.source
        "${replace(function.extension, "-", "_")}_secret" = "${var.prefix}/${function.auth}/${join(",", lookup(var.accounts, function.source, []))}"
        "${upper(function.source)}_TOKEN_PROFILE"         = "default"
      },
      function.environment,
    )
  }
}

# What all functions use, and the extensions that some of them have beside them.
resource "aws_lambda_layer_version" "this" {
  for_each = setunion(["core"], local.extensions)

  layer_name               = "${var.prefix}-${each.key}"
  description              = each.key == "core" ? "circulate_core: what handlers import, the engine and the definitions of all sources" : "The extension ${each.key}"
  filename                 = "${local.build}/${each.key}-layer.zip"
  source_code_hash         = try(filebase64sha256("${local.build}/${each.key}-layer.zip"), null)
  compatible_runtimes      = ["python3.11", "python3.12", "python3.13"]
  compatible_architectures = [local.defaults.architecture]
  license_info             = "Apache-2.0"

  lifecycle {
    create_before_destroy = true
    precondition {
      condition     = fileexists("${local.build}/${each.key}-layer.zip")
      error_message = "lambdas/.build/${each.key}-layer.zip is not there: run `make package` or `circulate package` first.${each.key == "core" ? "" : " It is made of the folder lambdas/extensions/${each.key}."}"
    }
    precondition {
      condition     = alltrue([for function in values(local.functions) : function.architecture == local.defaults.architecture])
      error_message = "Layers are made for one architecture, that of lambdas/lib/defaults.yaml, and a lambda.yaml says another."
    }
  }
}

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name         = "${var.prefix}-${each.key}"
  source_name  = each.value.source
  endpoint     = each.value.endpoint
  operation    = each.value.operation
  folder       = each.value.folder
  lib          = local.lib
  zip          = each.value.zip
  handler      = each.value.handler
  runtime      = each.value.runtime
  architecture = each.value.architecture
  memory_mb    = each.value.memory_mb
  timeout_s    = each.value.timeout_s
  ephemeral_mb = each.value.ephemeral_mb
  environment  = local.environments[each.key]

  layers = concat(
    [aws_lambda_layer_version.this["core"].arn],
    each.value.extension == "none" ? [] : [aws_lambda_layer_version.this[each.value.extension].arn],
  )

  permissions        = each.value.is_registrar ? local.registrar_permissions : each.value.is_target ? local.target_permissions : local.source_permissions[each.key]
  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  alarm_actions      = var.alarm_actions
  # A pipeline tries again, and has an alarm of its own; a playbook likewise, which also asks until somebody has approved. Who calls an
  # operation that reads is told what went wrong, and nobody else waits for it.
  alarm_on_errors       = (each.value.is_list && !contains(keys(local.pipelines), each.key)) || (each.value.is_writer && !contains(local.invoked, each.key))
  alarm_on_dead_letters = each.value.is_target || each.value.is_list || !each.value.reads

  accounts      = each.value.auth == "none" ? null : lookup(var.accounts, each.value.source, [])
  has_extension = each.value.extension != "none"
  # Credentials that can change something are never within the reach of a function that reads.
  shared_with_writer = each.value.reads && each.value.auth != "none" && anytrue([
    for other in values(local.described) : other.auth == each.value.auth && !other.reads
  ])
}
