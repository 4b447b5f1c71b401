# What Athena reads: a database. Its tables, views and partitions are made by the function that registers runs, since only they know the
# columns. They are data, so Terraform does not remove a database that has any.

locals {
  database      = replace(var.prefix, "-", "_")
  tables_folder = "tables"
  glue_arns     = "arn:${data.aws_partition.this.partition}:glue:${var.region}:${data.aws_caller_identity.this.account_id}"
}

resource "aws_glue_catalog_database" "this" {
  count = var.athena ? 1 : 0

  name         = local.database
  description  = "Runs of ${var.prefix}: a view of what is current, and a table of all versions, for each stream"
  location_uri = "${local.data}/${local.tables_folder}/"
}
