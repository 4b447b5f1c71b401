# A schedule starts a state machine, which invokes the function until its run is complete, and then the target.

resource "aws_scheduler_schedule_group" "this" {
  name = var.prefix
}

module "pipeline" {
  source   = "./modules/pipeline"
  for_each = local.pipelines

  name             = "${var.prefix}-${each.value.name}"
  stream           = each.value.stream
  file             = "lambdas/lib/${local.functions[each.key].folder}/lambda.yaml"
  group            = aws_scheduler_schedule_group.this.name
  accounts         = lookup(var.accounts, each.value.source, [])
  schedule         = each.value.schedule
  full_refresh     = each.value.full_refresh
  mode             = each.value.mode
  stale_after_h    = each.value.stale_after_h
  paused           = var.paused
  function_arn     = module.function[each.key].arn
  target_arn       = try(module.function["targets-${each.value.target}-promote"].arn, null)
  target           = each.value.target
  registrar_arn    = var.athena && each.value.target != "none" ? module.function["targets-athena-register"].arn : null
  has_registrar    = var.athena && each.value.target != "none"
  dead_letters_arn = module.function[each.key].dead_letters_arn

  kms_key_arn        = local.kms_key_arn
  log_retention_days = var.log_retention_days
  alarm_actions      = var.alarm_actions
}
