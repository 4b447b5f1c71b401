# A playbook is two state machines, made of files that `circulate package` writes: one that runs it, one that undoes what a run did. Of
# one that only reads there is nothing to undo, and no such file.

locals {
  playbooks = merge([
    for name in var.playbooks : {
      for machine in [name, "${name}-undo"] : machine => {
        file = "${local.build}/playbooks/${machine}.asl.json"
        # By the names that functions have behind the prefix. In a text that looks like one, `$` is written twice.
        invokes = distinct(flatten(regexall("\"\\$\\{functions\\}([A-Za-z0-9_-]+)\"", try(file("${local.build}/playbooks/${machine}.asl.json"), ""))))
      } if machine == name || fileexists("${local.build}/playbooks/${machine}.asl.json")
    }
  ]...)

  invoked      = distinct(flatten([for playbook in values(local.playbooks) : playbook.invokes]))
  function_arn = "arn:${data.aws_partition.this.partition}:lambda:${var.region}:${data.aws_caller_identity.this.account_id}:function:${var.prefix}"
}

module "playbook" {
  source   = "./modules/playbook"
  for_each = local.playbooks

  name      = "${var.prefix}-playbook-${each.key}"
  playbook  = each.key
  file      = each.value.file
  functions = "${local.function_arn}-"
  invokes   = [for name in each.value.invokes : module.function[name].arn if contains(keys(local.functions), name)]
  # Why some of them are not there, in the words of whoever has to do something about it.
  unnamed = [for name in each.value.invokes : local.described[name].name if try(local.described[name].is_writer, false) && !contains(var.write_operations, try(local.described[name].name, ""))]
  sources = distinct([for name in each.value.invokes : local.described[name].source if can(local.described[name]) && !contains(local.sources, try(local.described[name].source, ""))])
  unknown = [for name in each.value.invokes : name if !can(local.described[name])]

  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  alarm_actions      = var.alarm_actions
}
