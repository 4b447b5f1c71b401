# What each function may do, computed from what it touches. Each list becomes the policy of one role.

locals {
  # A function reaches the secrets of its own credentials, and one that pulls the objects, manifests and state of its own stream. One that
  # changes something reaches the ledger of its source, and may read approvals, but not write one. One that reads reaches nothing else.
  source_permissions = {
    for name, function in local.functions : name => concat(
      [for permission in [
        {
          sid     = "Objects"
          actions = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
          resources = [
            "${module.integration_bucket.arn}/${function.source}/*/${function.endpoint}/*",
            "${module.integration_bucket.arn}/_circulate/${function.source}/*/${function.endpoint}/*",
            "${module.integration_bucket.arn}/_circulate/about.json",
          ]
          keys = []
        },
        {
          # Without it S3 says 403 instead of 404 of an object that is not there.
          sid       = "Missing"
          actions   = ["s3:ListBucket"]
          resources = [module.integration_bucket.arn]
          keys      = []
        },
        {
          sid       = "State"
          actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          resources = [aws_dynamodb_table.state.arn]
          # Its stream, the list of all streams, and an item that is asked for to be told the time.
          keys = ["${function.source}#*#${function.endpoint}", "streams", "clock"]
        },
      ] : permission if function.is_list],
      [for permission in [
        {
          sid       = "Ledger"
          actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          resources = [local.ledger_arn]
          keys      = ["operations#${function.source}#*"]
        },
        {
          sid       = "Approvals"
          actions   = ["dynamodb:GetItem"]
          resources = [local.ledger_arn]
          # Those of anybody, and an item that is asked for to be told the time.
          keys = ["approval#*", "clock"]
        },
      ] : permission if function.is_writer],
      [for accounts in [lookup(var.accounts, function.source, [])] : {
        sid = "Credentials"
        # Only where the next refresh token goes in place of the one before is its own secret written.
        actions = concat(
          ["secretsmanager:GetSecretValue"],
          function.refresh_token ? ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"] : [],
        )
        # Secrets Manager puts six characters of its own behind a name.
        resources = [for account in accounts : "${local.secret_arns}:${var.prefix}/${function.auth}/${account}-??????"]
        keys      = []
      } if function.auth != "none" && length(accounts) > 0],
    ) if !function.is_target
  }

  # What registers runs reads the data bucket, adds files of tables to it, and makes tables, views and partitions. It removes none.
  registrar_permissions = [
    {
      sid       = "Data"
      actions   = ["s3:GetObject"]
      resources = ["${module.data_bucket.arn}/*"]
      keys      = []
    },
    {
      sid       = "Tables"
      actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
      resources = ["${module.data_bucket.arn}/${local.tables_folder}/*"]
      keys      = []
    },
    {
      sid       = "Missing"
      actions   = ["s3:ListBucket"]
      resources = [module.data_bucket.arn]
      keys      = []
    },
    {
      sid     = "Catalog"
      actions = ["glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:GetPartition", "glue:CreatePartition"]
      resources = [
        "${local.glue_arns}:catalog",
        "${local.glue_arns}:database/${local.database}",
        "${local.glue_arns}:table/${local.database}/*",
      ]
      keys = []
    },
  ]

  # A target reads what was pulled, writes what is read by people, and settles pending runs. It never removes anything.
  target_permissions = [
    {
      sid       = "Pulled"
      actions   = ["s3:GetObject"]
      resources = ["${module.integration_bucket.arn}/*"]
      keys      = []
    },
    {
      sid       = "Data"
      actions   = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
      resources = ["${module.data_bucket.arn}/*"]
      keys      = []
    },
    {
      sid       = "Missing"
      actions   = ["s3:ListBucket"]
      resources = [module.integration_bucket.arn, module.data_bucket.arn]
      keys      = []
    },
    {
      sid       = "State"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
      resources = [aws_dynamodb_table.state.arn]
      keys      = []
    },
  ]
}
